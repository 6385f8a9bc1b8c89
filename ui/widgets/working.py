"""Work of seconds in the page itself, with its progress."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

import streamlit as st

from core.errors import LabError
from ui.widgets.errors import say

Result = TypeVar("Result")


def result_of(work: Generator[tuple[int, int], None, Result], text: str) -> Result | None:
    """Runs it to its end, which a click elsewhere stops; None where it failed, which is said.
    work: yields (done, total). text: what it does, in a sentence."""
    bar = st.progress(0.0, text)
    try:
        while True:
            done, total = next(work)
            bar.progress(min(1.0, done / total), text)
    except StopIteration as stop:
        result: Result = stop.value
        return result
    except LabError as error:
        say(error)
        return None
    finally:
        bar.empty()
