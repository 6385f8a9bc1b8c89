"""One-click cheats on a result: the same photos, by a trick that forgets nothing."""

from __future__ import annotations

import streamlit as st

from core.runs.plan import Plan
from core.runs.run import Run
from ui.screens.unlearn.start import start
from ui.services import methods
from ui.wording.cheats import CHEATS, INVITATION, QUESTION


def cheats(run: Run) -> None:
    """A button a cheat, which queues it on the forget set of this run."""
    plan = run.plan
    if plan.model == methods.ENSEMBLE:  # it has no single last layer to trick
        return
    st.markdown(f"**{QUESTION}** {INVITATION}")
    with st.container(horizontal=True):
        for name, (label, help) in CHEATS.items():
            if name != plan.method and st.button(label, key=f"cheat-{name}", help=help):
                start(Plan(plan.model, plan.dataset, plan.request, name, {}, plan.seed, plan.base))
