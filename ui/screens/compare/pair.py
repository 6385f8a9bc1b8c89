"""The two runs that are ticked, loaded; else what is missing."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.errors import LabError
from core.runs.run import Run
from ui.screens.compare.foot import leave
from ui.services import runs
from ui.state.session import session
from ui.widgets.errors import say


def load_or_leave(chosen: Sequence[str]) -> tuple[Run, Run]:
    """Two runs with a final measurement; without them says why and ends the page."""
    if len(chosen) != 2:
        text = "Tick two runs to see them overlaid."
        if len(chosen) == 1:
            text = "Tick one more run to see the two overlaid."
        if len(chosen) > 2:
            text = f"{len(chosen)} runs are ticked. Untick all but two to see them overlaid."
        st.info(text, icon=":material/touch_app:")
        leave()
    first, second = [_load(id) for id in chosen]
    if first is None or second is None:
        leave()
    if first.after is None or second.after is None:
        st.warning("One of these runs has no final measurement, so there is nothing to overlay.")
        leave()
    if (first.plan.dataset, first.plan.request) != (second.plan.dataset, second.plan.request):
        st.warning(
            "These two runs forgot different images: compare each with its own retrained model, "
            "not with each other.",
            icon=":material/warning:",
        )
    return first, second


def _load(id: str) -> Run | None:
    """A run with its per-image losses; says so where they are lost."""
    try:
        return runs.load(id, session.owner)
    except LabError as error:
        say(error)
        return None
