"""The choice of a forget set, by the runs that there are of it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.runs.summary import RunSummary
from ui.state import values
from ui.widgets.data import data_title


def of_one_set(
    summaries: Sequence[RunSummary], key: str, wanted: Sequence[str]
) -> list[RunSummary]:
    """The runs of the forget set that is taken; at first that of the first known run of those
    wanted, else the newest run's. key: of the choice. wanted: ids."""
    sets: dict[str, list[RunSummary]] = {}
    for summary in summaries:
        sets.setdefault(_set_of(summary), []).append(summary)
    named = {s.id: name for name, members in sets.items() for s in members}
    start = next((named[id] for id in wanted if id in named), next(iter(sets)))
    if values.get(key) not in sets:
        values.put(key, start)
    said = {
        name: f"{members[0].plan.request.describe()}, {data_title(members[0].plan.dataset)}: "
        f"{len(members)} run{'s' * (len(members) != 1)}"
        for name, members in sets.items()
    }
    taken = st.selectbox(
        "What was forgotten", list(sets), key=key, format_func=lambda name: said.get(name, name)
    )
    return sets[taken]


def _set_of(summary: RunSummary) -> str:
    """What runs have in common that can be compared."""
    return f"{summary.plan.dataset} {summary.plan.request.brief().to_json()}"
