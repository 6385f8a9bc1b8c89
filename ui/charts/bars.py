"""A few named numbers as bars, each below its name and value, so that long names fit a phone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import altair as alt
import pandas as pd

from ui.charts.palette import FORGET, NEUTRAL
from ui.wording.numbers import percent

ROW = 48
LEAST = 260


def named_bars(
    values: Mapping[str, float],
    title: str,
    description: str,
    say: Callable[[float], str] = percent,
    domain: tuple[float, float] | None = None,
    pointed_out: Sequence[str] = (),
) -> alt.Chart:
    """One bar a name, in the order given. say: a value in words; an axis of shares has percent.
    domain: the ends of the axis. pointed_out: the bars in the colour of what is to be forgotten."""
    names = [f"{name}: {say(value)}" for name, value in values.items()]
    rows = pd.DataFrame(
        {
            "name": names,
            "value": list(values.values()),
            "color": [FORGET if name in pointed_out else NEUTRAL for name in values],
        }
    )
    low, high = domain or (min(0.0, *values.values()), max(values.values()))
    axis = alt.Axis(format=".0%" if say is percent else "~g", tickCount=5)
    above = alt.Axis(
        ticks=False,
        domain=False,
        labelAlign="left",
        labelPadding=-4,
        labelOffset=-14,
        labelLimit=400,
        labelFontSize=13,
    )
    return (
        alt.Chart(rows)
        .mark_bar(height=14, yOffset=3)
        .encode(
            x=alt.X(
                "value:Q", title=title, axis=axis, scale=alt.Scale(domain=[low, high], nice=False)
            ),
            y=alt.Y("name:N", title=None, sort=names, axis=above),
            color=alt.Color("color:N", scale=None),
            tooltip=alt.Tooltip("name:N", title="What"),
        )
        .properties(height=max(LEAST, ROW * len(names)), description=description)
    )
