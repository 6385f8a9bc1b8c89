"""The networks that are compared everywhere, before, now and the ideal: what marks them, in rows of
numbers and along an axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from ui.charts.palette import HEIGHT, INK

NAMES = {"before": "before", "after": "now", "retrained": "ideal"}
STROKES: dict[str, list[int]] = {"before": [2, 3], "after": [1, 0], "retrained": [7, 4]}
ROW, LEAST = 40, 260


def strokes(models: Sequence[str]) -> alt.StrokeDash:
    """How the lines of networks are told apart, with the legend."""
    return alt.StrokeDash(
        "network:N",
        scale=alt.Scale(
            domain=[NAMES[model] for model in models], range=[STROKES[model] for model in models]
        ),
        legend=alt.Legend(title=None, orient="top", symbolType="stroke", symbolSize=300),
    )


def shares(rows: Mapping[str, Mapping[str, float]], title: str, description: str) -> alt.LayerChart:
    """A row a question: before hollow, now a diamond, the ideal a dashed tick. rows: by what is
    asked, a share (0 to 1) by model."""
    table = pd.DataFrame([{"what": what, **known} for what, known in rows.items()])
    scale = alt.Scale(domain=[0.0, 1.0], nice=False)
    axis = alt.Axis(format="%", tickCount=5)
    what = list(rows)
    y = alt.Y("what:N", title=None, sort=what, axis=alt.Axis(labelLimit=150, labelOverlap=False))
    base = alt.Chart(table)

    def across(model: str) -> alt.X:
        return alt.X(f"{model}:Q", title=title, scale=scale, axis=axis)

    told = [
        alt.Tooltip("what:N", title="Photos"),
        *(
            alt.Tooltip(f"{model}:Q", title=NAMES[model].capitalize(), format=".1%")
            for model in NAMES
            if model in table
        ),
    ]
    marks = {
        "before": base.mark_point(size=100, strokeWidth=2, color=INK, filled=False, opacity=0.8),
        "after": base.mark_point(shape="diamond", size=150, filled=True, color=INK, opacity=1),
        "retrained": base.mark_tick(thickness=3, size=22, color=INK, opacity=0.9),
    }
    layers = [
        mark.encode(across(model), y, tooltip=told)
        for model, mark in marks.items()
        if model in table
    ]
    height = max(LEAST, ROW * len(what))
    return alt.layer(*layers).properties(height=height, description=description)


def lines(
    found: Mapping[str, Sequence[float]],
    at: Sequence[float],
    x_title: str,
    y_title: str,
    description: str,
    bands: Mapping[str, Sequence[tuple[float, float]]] | None = None,
) -> alt.LayerChart:
    """Shares (0 to 1) along an axis, a line a model. at: the places. bands: intervals of some."""
    rows = pd.DataFrame(
        [
            {"at": place, "share": value, "network": NAMES[model]}
            for model, values in found.items()
            for place, value in zip(at, values, strict=True)
        ]
    )
    x = alt.X("at:Q", title=x_title, axis=alt.Axis(tickMinStep=1, format="d"))
    scale = alt.Scale(domain=[0.0, 1.0], nice=False)
    y = alt.Y("share:Q", title=y_title, scale=scale, axis=alt.Axis(format="%", tickCount=5))
    told = [
        alt.Tooltip("network:N", title="Network"),
        alt.Tooltip("at:Q", title=x_title),
        alt.Tooltip("share:Q", title=y_title, format=".1%"),
    ]
    line = (
        alt.Chart(rows)
        .mark_line(color=INK, strokeWidth=2, point={"color": INK, "size": 40})
        .encode(x=x, y=y, strokeDash=strokes(list(found)), tooltip=told)
    )
    layers: list[alt.Chart] = []
    for model, ends in (bands or {}).items():
        frame = pd.DataFrame(
            [
                {"at": place, "low": low, "high": high, "network": NAMES[model]}
                for place, (low, high) in zip(at, ends, strict=True)
            ]
        )
        layers.append(
            alt.Chart(frame)
            .mark_area(color=INK, opacity=0.1)
            .encode(x=x, y=alt.Y("low:Q", scale=scale, title=y_title), y2="high:Q")
        )
    return alt.layer(*layers, line).properties(height=HEIGHT, description=description)
