"""Seconds against distance to the ideal, a mark a run; and what a run costs each class."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from core.runs.by_class import OfClass
from ui.charts.palette import FORGET, INK
from ui.wording.cost import LEAST, Bought, Cost, frontier
from ui.wording.numbers import duration

SELECTION = "cost"
HEIGHT = 360
MARKS: dict[Bought, tuple[str, str]] = {
    "like the ideal inside": ("circle", INK),
    "only silenced": ("circle", "transparent"),
    "still there": ("square", "transparent"),
    "forgotten too much": ("triangle-down", "transparent"),
    "damaged": ("cross", FORGET),
    "cannot tell": ("diamond", "transparent"),
    "no verdict": ("M-1,-0.15L1,-0.15L1,0.15L-1,0.15Z", INK),
}
"""What each is drawn as, and what fills it."""
TICKS = [0.1, 1, 3, 10, 30, 60, 300, 1200, 3600, 10800, 36000]


def costs(
    found: Sequence[Cost],
    picked: str,
    affordable: float,
    description: str,
    tied: float | None = None,
    retraining: float | None = None,
) -> alt.LayerChart:
    """picked: the key of the run that is pointed out, "" for none. affordable: seconds; what takes
    longer stands on grey. tied: points that two retrainings lie apart. retraining: its seconds."""
    rows = pd.DataFrame([_mark(cost, picked) for cost in found])
    low = max(LEAST, rows["seconds"].min() / 1.5)
    high = 1.5 * max(rows["seconds"].max(), retraining or 0.0)
    x_scale = alt.Scale(type="log", domain=[low, high], nice=False, clamp=True)
    y_scale = alt.Scale(type="sqrt", domain=[0.0, max(1.0, rows["high"].max() * 1.05)], nice=False)
    x = alt.X(
        "seconds:Q",
        title="Seconds (each step is a multiple)",
        scale=x_scale,
        axis=alt.Axis(values=[t for t in TICKS if low <= t <= high], format="~g", grid=False),
    )
    y = alt.Y(
        "points:Q",
        title="Points from the ideal",
        scale=y_scale,
        axis=alt.Axis(values=[0, 0.5, 1, 2, 5, 10, 20, 30, 50], format="~g"),
    )
    present = [kind for kind in MARKS if kind in set(rows["bought"])]
    legend = alt.Legend(
        title=None, orient="top", columns=3, symbolStrokeWidth=2, symbolStrokeColor=INK,
        labelLimit=260,
    )  # fmt: skip
    pick = alt.selection_point(name=SELECTION, fields=["key"], on="click", empty=False)
    points = (
        alt.Chart(rows)
        .mark_point(opacity=1, stroke=INK)
        .encode(
            x,
            y,
            shape=alt.Shape(
                "bought:N",
                scale=alt.Scale(domain=present, range=[MARKS[kind][0] for kind in present]),
                legend=legend,
            ),
            fill=alt.Fill(
                "bought:N",
                scale=alt.Scale(domain=present, range=[MARKS[kind][1] for kind in present]),
                legend=legend,
            ),
            size=alt.Size("size:Q", scale=None, legend=None),
            strokeWidth=alt.StrokeWidth("width:Q", scale=None, legend=None),
            tooltip=[
                alt.Tooltip("name:N", title="Method"),
                alt.Tooltip("took:N", title="Took"),
                alt.Tooltip("points:Q", title="Points from the ideal", format=".1f"),
                alt.Tooltip("bought:N", title="What it bought"),
            ],
        )
        .add_params(pick)
    )
    edge = pd.DataFrame([{"seconds": c.seconds, "points": c.gap.value} for c in frontier(found)])
    edge["seconds"] = edge["seconds"].clip(lower=LEAST)
    line = alt.Chart(edge).mark_line(
        interpolate="step-after", strokeWidth=2, opacity=0.7, color=INK
    )
    wide = alt.Chart(rows).mark_rule(strokeWidth=1.5, opacity=0.35, color=INK)
    beyond = alt.Chart(pd.DataFrame({"from": [max(LEAST, affordable)], "to": [high]}))
    layers = [
        beyond.mark_rect(color=INK, opacity=0.1).encode(alt.X("from:Q", scale=x_scale), x2="to:Q"),
        wide.encode(x, alt.Y("low:Q", scale=y_scale), y2="high:Q"),
        line.encode(x, y),
        *_references(x_scale, y_scale, tied, retraining),
        points,
    ]
    return alt.layer(*layers).properties(height=HEIGHT, description=description)


def _mark(cost: Cost, picked: str) -> dict[str, object]:
    pointed = cost.key == picked
    return {
        "key": cost.key,
        "name": cost.name,
        "seconds": max(LEAST, cost.seconds),
        "took": duration(cost.seconds),
        "points": cost.gap.value,
        "low": cost.gap.low,
        "high": cost.gap.high,
        "bought": cost.bought,
        "size": 220 if pointed else 90 if cost.run else 60,
        "width": 3.5 if pointed else 2 if cost.run else 1.2,
    }


def _references(
    x_scale: alt.Scale, y_scale: alt.Scale, tied: float | None, retraining: float | None
) -> list[alt.Chart]:
    """The two lines that everything is measured by, where they are known."""
    found = []
    if tied is not None:
        level = alt.Chart(pd.DataFrame({"points": [tied]}))
        found.append(
            level.mark_rule(strokeDash=[4, 4], color=INK).encode(alt.Y("points:Q", scale=y_scale))
        )
    if retraining is not None:
        at = alt.Chart(pd.DataFrame({"seconds": [retraining], "text": ["retraining"]}))
        place = alt.X("seconds:Q", scale=x_scale)
        found.append(at.mark_rule(strokeDash=[2, 3], color=INK).encode(place))
        found.append(
            at.mark_text(align="right", baseline="top", dx=-5, fontSize=12, color=INK).encode(
                place, alt.Y(value=4), text="text:N"
            )
        )
    return found


def by_class(found: Sequence[OfClass], description: str) -> alt.LayerChart:
    """Before (hollow), now (a diamond) and the ideal (a tick), a row a class."""
    rows = pd.DataFrame(
        [
            {
                "class": c.name,
                "before": c.before.value,
                "now": c.now.value,
                "ideal": c.ideal.value if c.ideal else None,
                "ink": FORGET if c.lost and not c.forgotten else INK,
                "said": "to be forgotten" if c.forgotten else "to be kept",
            }
            for c in found
        ]
    )
    ends = rows[["before", "now", "ideal"]].astype(float)
    low = max(0.0, float(ends.min().min()) - 0.05)
    scale = alt.Scale(domain=[low, min(1.0, float(ends.max().max()) + 0.03)], nice=False)
    y = alt.Y(
        "class:N",
        title=None,
        sort=list(rows["class"]),
        axis=alt.Axis(labelOverlap=False, grid=True),
    )

    def across(field: str) -> alt.X:
        axis = alt.Axis(format=".0%", tickCount=5)
        return alt.X(f"{field}:Q", title="Right about new photos", scale=scale, axis=axis)

    told = [
        alt.Tooltip("class:N", title="Class"),
        alt.Tooltip("before:Q", title="Before", format=".1%"),
        alt.Tooltip("now:Q", title="Now", format=".1%"),
        alt.Tooltip("ideal:Q", title="Ideal", format=".1%"),
        alt.Tooltip("said:N", title="It was"),
    ]
    base = alt.Chart(rows)
    ink = alt.Color("ink:N", scale=None)
    ideal = base.transform_filter("isValid(datum.ideal)")
    return alt.layer(
        base.mark_rule(color=INK, opacity=0.5, strokeWidth=2).encode(
            across("before"), y, x2="now:Q"
        ),
        ideal.mark_tick(color=INK, thickness=3, size=18).encode(across("ideal"), y, tooltip=told),
        base.mark_point(size=90, strokeWidth=2, color=INK, filled=False).encode(
            across("before"), y, tooltip=told
        ),
        base.mark_point(shape="diamond", size=140, filled=True, opacity=1).encode(
            across("now"), y, color=ink, tooltip=told
        ),
    ).properties(height=max(260, 40 + 28 * len(found)), description=description)
