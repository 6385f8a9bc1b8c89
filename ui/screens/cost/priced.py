"""The runs of the forget set that is taken, with what each cost; else what is missing."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from core.errors import LabError
from core.runs.plan import Plan
from core.runs.summary import RunSummary
from ui import outside
from ui.services import costs, methods, runs
from ui.state import address
from ui.state.session import session
from ui.widgets.errors import say
from ui.widgets.forget_set import of_one_set
from ui.widgets.frame import CHOOSE, COMPARE
from ui.wording.cost import Cost, takeaway

JUDGED = 60
"""The newest runs of a forget set that are drawn: each is read and judged once."""


@dataclass(frozen=True)
class Priced:
    """plan: of one of the runs. costs: at least one, runs first. tied: points that two
    retrainings lie apart, None where nobody has measured it. retraining: its seconds, None where
    nobody knows."""

    plan: Plan
    costs: list[Cost]
    tied: float | None
    retraining: float | None

    @property
    def said(self) -> list[Cost]:
        """The costs with names that stand in a sentence: a setting can be any text."""
        return [dataclasses.replace(cost, name=outside.plain(cost.name)) for cost in self.costs]


def priced_or_stop() -> Priced:
    """The choice of a forget set, and what its runs cost."""
    try:
        summaries = runs.summaries(session.owner)
    except LabError as error:
        say(error)
        st.stop()
    if not summaries:
        address.write()
        st.info("No run has finished yet, so nothing has cost anything.", icon=":material/timer:")
        if st.button("Choose what to forget", type="primary", key="to-choose"):
            st.switch_page(CHOOSE)
        st.stop()
    wanted = [id for id in (session.run, *session.compare) if id]
    members = of_one_set(summaries, "cost-set", wanted)
    newest = members[:JUDGED]
    with st.spinner("Reading the verdicts of these runs.", show_time=True):
        methods.labels()
        found, errors = costs.of_runs(newest)
    for error in errors:
        say(error)
    plan = newest[0].plan
    found += costs.measured(plan.dataset, plan.request, [cost.method for cost in found])
    _left_out(members, found, len(errors))
    if not found:
        st.info(
            "Of none of these runs is it known how far it is from the ideal: that takes ten photos "
            "or more to forget, and a network retrained without them. Run *Retrain* on the same "
            "photos to get one.",
            icon=":material/help:",
        )
        st.stop()
    tied = costs.tied(plan.dataset, plan.request)
    priced = Priced(plan, found, tied, costs.retraining(newest))
    st.markdown(f"**{takeaway(priced.said)}**")
    return priced


def _left_out(members: Sequence[RunSummary], found: Sequence[Cost], unread: int) -> None:
    """How many runs are not drawn, and why."""
    drawn = sum(bool(cost.run) for cost in found)
    newest = min(len(members), JUDGED)
    parts = []
    if older := len(members) - newest:
        parts.append(f"{older:,} older run{'s are' if older > 1 else ' is'} not drawn.")
    if drawn and (unknown := newest - drawn - unread):
        are = "runs have" if unknown > 1 else "run has"
        parts.append(f"{unknown} {are} no known distance to the ideal.")
    if parts:
        st.caption(" ".join(parts))


def to_compare(found: Sequence[Cost]) -> None:
    """A button that compares the runs that are drawn, where there are some."""
    ids = [cost.run for cost in found if cost.run]
    if len(ids) > 1 and st.button(
        "Compare these runs", key="to-compare", icon=":material/compare:"
    ):
        session.compare = ids[:6]
        st.switch_page(COMPARE)
