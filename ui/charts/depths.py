"""Numbers depth by depth, from the image at the top to the answer at the bottom.

All have the same rows, so that an eye can go from one to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import pandas as pd

from ui.charts.palette import FORGET, INK
from ui.wording.inside import length

ROW = 34


@dataclass(frozen=True)
class Spot:
    """One depth. before, now: the marks; low, high: the interval of now. beside: a third mark, a
    tick. news: whether now is drawn in the colour of what was to be forgotten. Not a number: no
    mark. said: what a tooltip says of it."""

    depth: str
    before: float
    now: float
    low: float = float("nan")
    high: float = float("nan")
    beside: float = float("nan")
    news: bool = False
    said: str = ""


def marks(
    spots: Sequence[Spot],
    here: str,
    title: str,
    domain: tuple[float, float],
    description: str,
    band: float | None = None,
    label: str = "datum.label",
) -> alt.LayerChart:
    """Before (hollow) and now (a diamond) at each depth. here: the depth that is looked at. domain:
    of the x axis. band: half its width, around 0; None for no band. label: what stands at a tick of
    that axis, a Vega expression."""
    rows = pd.DataFrame([vars(spot) | {"ink": FORGET if spot.news else INK} for spot in spots])
    scale = alt.Scale(domain=list(domain), nice=False, clamp=True)
    axis = alt.Axis(labelExpr=label, tickCount=5, labelFlush=False)

    def across(field: str) -> alt.X:
        return alt.X(f"{field}:Q", scale=scale, title=title, axis=axis)

    y = _down(spots)
    base = alt.Chart(rows)
    told = [alt.Tooltip("depth:N", title="Depth"), alt.Tooltip("said:N", title="There")]
    layers: list[alt.Chart] = [_row(here, spots)]
    if band is not None:
        middle = alt.Chart(pd.DataFrame({"low": [-band], "high": [band], "zero": [0.0]}))
        layers += [
            middle.mark_rect(color=INK, opacity=0.16).encode(across("low"), x2="high:Q"),
            middle.mark_rule(color=INK, opacity=0.7, strokeDash=[4, 4]).encode(across("zero")),
        ]
    ink = alt.Color("ink:N", scale=None)
    made = {
        ("before", "now"): base.mark_rule(color=INK, opacity=0.7, strokeWidth=2).encode(
            across("before"), y, x2="now:Q"
        ),
        ("low", "high"): base.mark_rule(strokeWidth=7, opacity=0.3).encode(
            across("low"), y, x2="high:Q", color=ink
        ),
        ("beside",): base.mark_tick(color=INK, thickness=3, size=18, opacity=0.9).encode(
            across("beside"), y, tooltip=told
        ),
        ("before",): base.mark_point(
            size=100, strokeWidth=2, color=INK, opacity=0.8, filled=False
        ).encode(across("before"), y, tooltip=told),
        ("now",): base.mark_point(shape="diamond", size=150, filled=True, opacity=1).encode(
            across("now"), y, color=ink, tooltip=told
        ),
    }
    for fields, layer in made.items():  # a layer without a mark would be an unnamed symbol
        if rows[list(fields)].notna().all(axis=1).any():
            known = " && ".join(f"isValid(datum.{field})" for field in fields)
            layers.append(layer.transform_filter(known))
    return alt.layer(*layers).properties(height=ROW * len(spots), description=description)


def bars(
    depths: Sequence[str], values: Sequence[float], here: str, title: str, description: str
) -> alt.LayerChart:
    """A share at each depth, with its number."""
    top = max([*values, 1e-9]) * 1.35
    rows = pd.DataFrame({"depth": list(depths), "value": list(values)})
    rows["text"] = [length(value) for value in values]
    x = alt.X(
        "value:Q",
        title=title,
        scale=alt.Scale(domain=[0.0, top], nice=False),
        axis=alt.Axis(format="~%", tickCount=4, labelFlush=False),
    )
    spots = [Spot(depth, 0.0, 0.0) for depth in depths]
    y = _down(spots)
    base = alt.Chart(rows)
    told = [alt.Tooltip("depth:N", title="Depth"), alt.Tooltip("text:N", title="Moved")]
    return alt.layer(
        _row(here, spots),
        base.mark_bar(color=INK, opacity=0.55, height=12).encode(x, y, tooltip=told),
        base.mark_text(align="left", dx=6, color=INK, fontSize=12).encode(x, y, text="text:N"),
    ).properties(height=ROW * len(depths), description=description)


def _down(spots: Sequence[Spot]) -> alt.Y:
    names = [spot.depth for spot in spots]
    axis = alt.Axis(labelOverlap=False, labelLimit=130, labelFlush=False)
    return alt.Y("depth:N", title=None, sort=names, scale=alt.Scale(domain=names), axis=axis)


def _row(here: str, spots: Sequence[Spot]) -> alt.Chart:
    """The row of the depth that is looked at."""
    row = alt.Chart(pd.DataFrame({"depth": [here]}))
    return row.mark_rect(color=INK, opacity=0.1).encode(y=_down(spots))
