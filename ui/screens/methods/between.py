"""The chart of the methods between outside and inside, for the case that is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from core.errors import LabError
from core.runs.run import Run
from ui import links
from ui.charts.quadrants import SELECTION, quadrants
from ui.services import methods, shipped
from ui.state import values
from ui.widgets.errors import say
from ui.widgets.figures import draw
from ui.wording import measured
from ui.wording import quadrants as words
from ui.wording.quadrants import Dot


def case(rows: Sequence[Mapping[str, Any]]) -> str:
    """The case whose measurements are shown: a whole class first, where silence looks like
    forgetting."""
    cases = sorted({row["case"] for row in rows}, key=lambda name: not name.startswith("class"))
    taken = st.segmented_control(
        "What was forgotten, of CIFAR-10",
        cases,
        default=cases[0],
        required=True,
        format_func=lambda name: measured.CASES.get(name, name),
        key="methods-case",
    )
    return str(taken)


def dots_of(rows: Sequence[Mapping[str, Any]], name: str) -> list[Dot]:
    """The methods and controls of a case."""
    described = methods.descriptions()
    # A method that computes on the stored features has no way to change them.
    heads = [key for key, method in described.items() if "features" in method["needs"]]
    of_case = [row for row in rows if row["case"] == name]
    return words.dots(of_case, methods.labels(), heads, _runs(name))


def chart(rows: Sequence[Mapping[str, Any]], name: str, dots: Sequence[Dot]) -> None:
    """The chart and what it shows; a click takes a method."""
    again = next((r for r in rows if r["case"] == name and r["method"] == "retrain"), None)
    text = words.takeaway(dots)
    drawn = _spec(dots, float(again["high"]) if again else 1.0, words.margin(), text)
    key = f"methods-chart-{name}"
    event = draw(drawn, key, on_select="rerun", selection_mode=SELECTION)
    st.markdown(text)
    st.caption(
        "Left of the dashed line a method lies as near to the ideal outside as two retrainings to "
        "each other; in the shaded band it is like the ideal inside. What changes the last layer "
        "alone leaves the inside as it was before. Click a dot to open its card."
    )
    picked = [point["method"] for point in (event.selection.get(SELECTION) or [])]
    if picked and values.get(f"{key}-taken") != picked[0]:
        values.put(f"{key}-taken", picked[0])
        if picked[0] in methods.descriptions():
            values.put("methods-open", picked[0])


@st.cache_data(show_spinner=False, max_entries=8)
def _spec(dots: Sequence[Dot], tied: float, margin: float, description: str) -> dict[str, Any]:
    """The chart's Vega-Lite, made once."""
    return quadrants(dots, tied, margin, description).to_dict()


def _runs(name: str) -> list[Run]:
    """The runs of a case that ship."""
    request, found = links.forget_request(name), []
    for summary in shipped.summaries():
        if (summary.plan.dataset, summary.plan.request) == ("cifar10", request):
            try:
                found.append(shipped.run(summary.id))
            except LabError as error:
                say(error)
    return found
