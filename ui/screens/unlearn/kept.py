"""A moment of a run that a visitor keeps, to lay it beside another."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from core.runs.run import Probe
from ui.state import values


@dataclass(frozen=True)
class Moment:
    """step: when. look: what was known then. shapes: the look whose losses are many enough for a
    histogram."""

    step: int
    look: Probe
    shapes: Probe


def kept_of(run: str) -> Moment | None:
    """The moment of a run that this visitor keeps, as long as the tab is open."""
    found: Moment | None = values.get(f"kept-{run}")
    return found


def keep_buttons(run: str, here: Moment) -> None:
    """Keeps this moment, in place of an earlier one, or lets the one that is kept go."""
    kept = kept_of(run)
    with st.container(horizontal=True):
        if kept is None or kept.step != here.step:
            st.button(
                "Keep this moment" if kept is None else "Keep this one instead",
                key=f"keep-{run}",
                on_click=lambda: values.put(f"kept-{run}", here),
                icon=":material/bookmark_add:",
                help="Its picture stays on this page, beside whatever comes later.",
            )
        if kept is not None:
            st.button(
                f"Let step {kept.step:,} go",
                key=f"let-go-{run}",
                on_click=lambda: values.take(f"kept-{run}"),
                icon=":material/bookmark_remove:",
            )
