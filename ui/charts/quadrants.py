"""A dot a method: how far outside, how much more inside than the ideal; the cheats among them."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from ui.charts.palette import FORGET, INK
from ui.wording.quadrants import Dot

SELECTION = "method"
HEIGHT = 360
SHAPES = {"looked into": "circle", "not looked into": "stroke", "a cheat": "cross"}


def quadrants(dots: Sequence[Dot], tied: float, margin: float, description: str) -> alt.LayerChart:
    """tied: points from the ideal outside that two retrainings reach. margin: points inside that
    count as none. A dot that nobody has looked into stands below the zero line, on a row of its
    own."""
    top = max([2 * margin, *(dot.inside for dot in dots if dot.inside is not None)]) * 1.15
    low = min([-2 * margin, *(dot.inside for dot in dots if dot.inside is not None)])
    unknown = low - margin
    rows = pd.DataFrame(
        [
            {
                "method": dot.name,
                "label": dot.label,
                "outside": dot.outside,
                "inside": unknown if dot.inside is None else dot.inside,
                "kind": "a cheat" if dot.control else list(SHAPES)[dot.inside is None],
                "said": dot.said,
                "seconds": dot.seconds,
                "ink": INK if dot.inside is None or dot.passes else FORGET,
            }
            for dot in dots
        ]
    )
    most = max(rows["outside"].max() * 1.05, 2 * tied)
    # The nearest are the most: a square root spreads them.
    x_scale = alt.Scale(type="sqrt", domain=[0.0, float(most)], nice=False)
    y_scale = alt.Scale(domain=[unknown - margin, float(top)], nice=False)
    x = alt.X(
        "outside:Q",
        title="Outside: points from the ideal",
        scale=x_scale,
        axis=alt.Axis(values=[0, 1, 2, 5, 10, 20, 30, 50], grid=False),
    )
    y = alt.Y(
        "inside:Q",
        title="Inside: points more than the ideal",
        scale=y_scale,
        axis=alt.Axis(values=[float(tick) for tick in range(-100, 101, 5) if low < tick < top]),
    )
    pick = alt.selection_point(name=SELECTION, fields=["method"], on="click", empty=False)
    points = (
        alt.Chart(rows)
        .mark_point(size=110, strokeWidth=2, opacity=1, filled=False)
        .encode(
            x,
            y,
            shape=alt.Shape(
                "kind:N",
                scale=alt.Scale(domain=list(SHAPES), range=list(SHAPES.values())),
                legend=alt.Legend(title=None, orient="top", symbolStrokeWidth=2),
            ),
            color=alt.Color("ink:N", scale=None),
            strokeWidth=alt.condition(pick, alt.value(4), alt.value(2)),
            tooltip=[
                alt.Tooltip("label:N", title="Method"),
                alt.Tooltip("outside:Q", title="Points outside", format=".1f"),
                alt.Tooltip("said:N", title="Inside"),
                alt.Tooltip("seconds:Q", title="Seconds", format=".0f"),
            ],
        )
        .add_params(pick)
    )
    band = alt.Chart(pd.DataFrame({"low": [-margin], "high": [margin]})).mark_rect(
        color=INK, opacity=0.12
    )
    edge = alt.Chart(pd.DataFrame({"x": [tied]})).mark_rule(strokeDash=[4, 4], color=INK)
    names = pd.DataFrame(
        [
            {"x": 0.0, "y": 1.6 * margin, "text": "only silenced", "align": "left"},
            {"x": most, "y": 1.6 * margin, "text": "still there", "align": "right"},
            {"x": 0.0, "y": 0.0, "text": "forgotten", "align": "left"},
            {"x": most, "y": 0.0, "text": "half-way or damaged", "align": "right"},
            {"x": most, "y": unknown, "text": "nobody has looked inside", "align": "right"},
        ]
    )
    texts = [
        alt.Chart(names[names["align"] == align])
        .mark_text(align=align, baseline="top", dx=shift, dy=4, fontSize=12, color=INK)
        .encode(alt.X("x:Q", scale=x_scale), alt.Y("y:Q", scale=y_scale), text="text:N")
        for align, shift in (("left", 4), ("right", -4))
    ]
    return alt.layer(
        band.encode(alt.Y("low:Q", scale=y_scale), y2="high:Q"),
        edge.encode(alt.X("x:Q", scale=x_scale)),
        *texts,
        points,
    ).properties(height=HEIGHT, description=description)
