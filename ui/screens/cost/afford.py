"""The chart of seconds against distance, and the slider that says what one can afford."""

from __future__ import annotations

import math
from typing import Any

import streamlit as st

from core.runs.plan import Plan
from ui.charts import costs as charts
from ui.screens.cost.priced import Priced
from ui.state import drafts, values
from ui.state.session import session
from ui.widgets.figures import draw, table
from ui.widgets.frame import UNLEARN
from ui.widgets.setting import log_scale
from ui.widgets.specs import made_once
from ui.wording import cost as words
from ui.wording.cost import LEAST, Cost
from ui.wording.numbers import duration

SLIDER = "cost-seconds"
LEGEND = (
    "Filled: like the ideal inside, too. Hollow circle: only silenced. Cross: damaged. Dash: "
    "measured by the makers of this app on two cores, with no run kept. The thin line through a "
    "mark is its 95 % interval; the large mark is the one picked out. The stepped line is the "
    "frontier: nothing is both faster and nearer."
)


def afford(priced: Priced) -> Cost | None:
    """Draws both; gives what the slider picks out."""
    seconds = _slider(priced)
    best = words.nearest(priced.costs, seconds)
    text = words.afford(priced.said, seconds)
    shown = best.key if best else ""
    about = ("costs", tuple(priced.costs), shown, seconds, priced.tied, priced.retraining)
    spec = made_once(
        about,
        lambda: charts.costs(
            priced.costs, shown, seconds, text.replace("*", ""), priced.tied, priced.retraining
        ),
    )
    event = draw(spec, "cost-chart", on_select="rerun", selection_mode=charts.SELECTION)
    _clicked(priced, event)
    st.markdown(text)
    if best is not None:
        _way(best, priced.plan)
    tied = " Below the dashed line a method is as near as a second retraining."
    st.caption(LEGEND + tied * (priced.tied is not None))
    return best


def _slider(priced: Priced) -> float:
    """The seconds, from those of the fastest run to those of the slowest; at first those of the
    slowest but retraining, which is what all others are to save."""
    every = [max(LEAST, cost.seconds) for cost in priced.costs]
    low, high = min(every), max(every)
    start = max((max(LEAST, c.seconds) for c in priced.costs if not c.again), default=high)
    between = {mark for mark in log_scale(low, high, set()) if low < mark < high}
    marks = sorted({_up(low), *between, _up(start), _up(high)})
    if values.get(SLIDER) not in marks:
        values.put(SLIDER, _up(start))
    if len(marks) < 2:
        return float(marks[0])
    return float(st.select_slider("Seconds I can afford", marks, key=SLIDER, format_func=duration))


def _up(seconds: float) -> float:
    """The next tenth of a second, so that a run is within its own mark."""
    return math.ceil(10 * seconds) / 10


def _clicked(priced: Priced, event: Any) -> None:
    """A click on a run's mark chooses it for the chart of the classes."""
    picked = [point["key"] for point in (event.selection.get(charts.SELECTION) or [])]
    if picked and values.get("cost-clicked") != picked[0]:
        values.put("cost-clicked", picked[0])
        if picked[0] in {cost.run for cost in priced.costs if cost.run}:
            values.put("cost-run", picked[0])


def _way(best: Cost, plan: Plan) -> None:
    """To the run, or to one of the method that only its makers have measured."""
    if best.run and st.button("Show this run", key="show-run", icon=":material/gavel:"):
        session.run = best.run
        st.switch_page(UNLEARN)
    if not best.run and st.button("Run it", key="run-it", icon=":material/play_arrow:"):
        drafts.change(dataset=plan.dataset, request=plan.request, method=best.method, settings={})
        session.run = None
        st.switch_page(UNLEARN)


def as_table(priced: Priced) -> None:
    """The chart as a table."""
    with st.expander("All costs as a table"):
        table(
            words.table(priced.costs),
            "What each run cost, and how near the ideal it came",
            percents=("share of retraining",),
            formats={"seconds": "%.1f", "points from the ideal": "%.2f"},
        )
