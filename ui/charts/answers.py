"""How the answers have changed, class by class."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ui.charts.palette import INK

LESS, MORE = "#8E44AD", "#00897B"
"""Neither is a colour that stands for a set of images."""
STRONGEST = 0.6
"""Of a cell's colour: a number in it must stay readable in every theme."""


def change(
    before: NDArray[np.float64],
    then: NDArray[np.float64],
    names: Sequence[str],
    largest: float,
    description: str,
) -> alt.LayerChart:
    """What each class (row) is called more often and less often than before. before, then:
    (classes, classes), shares of each row's images. largest: the change that has the full colour.
    Rows without images are empty."""
    apart = then - before
    rows = pd.DataFrame(
        [
            {
                "class": names[i],
                "answer": names[j],
                "change": float(apart[i, j]),
                "size": abs(float(apart[i, j])),
                "way": "more often" if apart[i, j] > 0 else "less often",
                "text": f"{100 * apart[i, j]:+.0f}" if round(100 * apart[i, j]) else "",
                "before": float(before[i, j]),
                "then": float(then[i, j]),
            }
            for i, j in np.argwhere(np.isfinite(apart))
        ],
        columns=["class", "answer", "change", "size", "way", "text", "before", "then"],
    )
    scale = alt.Scale(domain=list(names))
    base = alt.Chart(rows).encode(
        x=alt.X(
            "answer:N",
            title="what it is called",
            sort=list(names),
            scale=scale,
            axis=alt.Axis(labelAngle=-60, labelOverlap=False, labelLimit=90, labelFlush=False),
        ),
        y=alt.Y(
            "class:N",
            title=None,
            sort=list(names),
            scale=scale,
            axis=alt.Axis(labelOverlap=False, labelLimit=90, labelFlush=False),
        ),
        tooltip=[
            alt.Tooltip("class:N", title="It is"),
            alt.Tooltip("answer:N", title="It is called"),
            alt.Tooltip("before:Q", title="Before", format=".1%"),
            alt.Tooltip("then:Q", title="Then", format=".1%"),
        ],
    )
    cells = base.mark_rect().encode(
        color=alt.Color(
            "way:N",
            scale=alt.Scale(domain=["more often", "less often"], range=[MORE, LESS]),
            legend=alt.Legend(title=None, orient="top", symbolType="square"),
        ),
        opacity=alt.Opacity(
            "size:Q",
            scale=alt.Scale(
                type="sqrt", domain=[0, max(largest, 1e-9)], range=[0, STRONGEST], clamp=True
            ),
            legend=None,
        ),
    )
    text = base.mark_text(color=INK, fontSize=11).encode(text="text:N")
    return alt.layer(cells, text).properties(height=110 + 26 * len(names), description=description)
