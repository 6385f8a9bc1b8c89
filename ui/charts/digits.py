"""Numbers at the 8 x 8 pixels of a digit."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from ui.charts.palette import FORGET

SIDE = 8
WIDTH = 220
"""Of a square picture; a phone has room for it."""
PAPER, INK = "#ffffff", "#1c2733"


def pixels(
    values: Sequence[float], unit: str, most: float, description: str, forget: bool = False
) -> alt.Chart:
    """64 numbers, row by row, from paper (0) to ink (`most`). forget: in the colour of what is
    forgotten."""
    rows = pd.DataFrame(
        {
            "row": [i // SIDE for i in range(SIDE**2)],
            "column": [i % SIDE for i in range(SIDE**2)],
            "value": [float(value) for value in values],
        }
    )
    scale = alt.Scale(
        domain=[0, float(most)], range=[PAPER, FORGET if forget else INK], interpolate="rgb"
    )
    return (
        alt.Chart(rows)
        .mark_rect(stroke="#c9d3dc", strokeWidth=0.5)
        .encode(
            x=alt.X("column:O", axis=None),
            y=alt.Y("row:O", axis=None),
            color=alt.Color(
                "value:Q",
                scale=scale,
                legend=alt.Legend(title=unit, orient="bottom", titleLimit=260, gradientLength=140),
            ),
            tooltip=[
                alt.Tooltip("row:O", title="Row"),
                alt.Tooltip("column:O", title="Column"),
                alt.Tooltip("value:Q", title=unit, format=",.3~g"),
            ],
        )
        .properties(width=WIDTH, height=WIDTH, description=description)
    )
