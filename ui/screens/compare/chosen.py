"""The runs that are ticked, loaded; else what is missing."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.errors import LabError
from core.runs.run import Run
from ui.screens.compare.foot import leave
from ui.services import methods, runs
from ui.state.session import session
from ui.widgets.errors import say
from ui.wording.comparison import Entrant, entrants

MOST = 6
"""Rows of runs that differ in more than the seed whose strips fit on a page."""
MOST_RUNS = 18


def entrants_or_leave(chosen: Sequence[str]) -> list[Entrant]:
    """Two or more runs with a final measurement, those of one plan together; without them says why
    and ends the page."""
    found = entrants(_runs_or_leave(chosen), methods.names)
    if len(found) > MOST:
        st.info(
            f"{len(found)} different settings are ticked; {MOST} fit on this page. Untick some.",
            icon=":material/touch_app:",
        )
        leave()
    return found


def _runs_or_leave(chosen: Sequence[str]) -> list[Run]:
    if not 2 <= len(chosen) <= MOST_RUNS:
        text = "Tick two or more runs to see their strips beside each other."
        if len(chosen) == 1:
            text = "Tick one more run to see the two beside each other."
        if len(chosen) > MOST_RUNS:
            text = f"{len(chosen)} runs are ticked; {MOST_RUNS} fit on this page. Untick some."
        st.info(text, icon=":material/touch_app:")
        leave()
    found = [run for run in map(_load, chosen) if run is not None]
    if len(found) < len(chosen):
        leave()
    if any(run.after is None for run in found):
        st.warning("One of these runs has no final measurement, so there is nothing to compare.")
        leave()
    return found


def _load(id: str) -> Run | None:
    """A run with its per-image losses; says so where they are lost."""
    try:
        return runs.load(id, session.owner)
    except LabError as error:
        say(error)
        return None
