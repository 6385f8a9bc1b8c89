"""A question to a finished run's network: the button, the progress, what was found, or why not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from core.data.dataset import ImageDataset
from core.errors import LabError
from core.runs.run import Run
from ui.services import robustness
from ui.services.robustness import Asked, Trial
from ui.state import owner
from ui.state.session import session
from ui.widgets.errors import say
from ui.wording import robustness as words

TICK = 0.5
Show = Callable[[dict[str, Any]], None]
"""Draws what was found."""


def question(run: Run, data: ImageDataset, asked: Asked, show: Show) -> None:
    """Draws where the measurement is, and follows it."""
    made = robustness.trial(asked)
    alive = made.alive
    st.fragment(_state, run_every=TICK if alive else None)(made, run, data, show, alive)


def _state(made: Trial, run: Run, data: ImageDataset, show: Show, followed: bool) -> None:
    if made.alive:
        _progress(made)
    elif followed:
        st.rerun()
    elif made.state == "done":
        show(made.found)
    else:
        _offer(made, run, data)


def _offer(made: Trial, run: Run, data: ImageDataset) -> None:
    if made.state == "stopped":
        st.info("Stopped before it was done: nothing was kept.", icon=":material/front_hand:")
    if made.error is not None:
        say(made.error)
    label = words.QUESTIONS[made.asked.question][2]
    if made.state != "new":
        label += " again"
    if st.button(label, key=f"measure-{made.asked.question}", icon=":material/play_arrow:"):
        try:
            made.start(run, data, session.owner, owner.address())
        except LabError as error:
            say(error)
            return
        st.rerun()


def _progress(made: Trial) -> None:
    waiting = made.state == "waiting"
    share = min(1.0, made.done / made.total) if made.total else 0.0
    st.progress(share, words.progress(made.done, made.total, made.seconds_left, waiting))
    if made.owner != session.owner:
        st.caption("Another visitor started this; what it finds is for all who see this run.")
    else:
        name = f"stop-{made.asked.question}"
        st.button("Stop", key=name, on_click=made.cancel, icon=":material/stop_circle:")
