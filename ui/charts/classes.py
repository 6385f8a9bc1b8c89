"""How many images of each class a choice takes."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from ui.charts.palette import FORGET, RETAIN


def class_counts(
    names: Sequence[str], forget: Sequence[int], totals: Sequence[int], description: str
) -> alt.Chart:
    """How many images of each class are to be forgotten and kept."""
    rows = pd.DataFrame(
        [
            {"class": name, "part": part, "images": int(count)}
            for name, chosen, total in zip(names, forget, totals, strict=True)
            for part, count in (("forget", chosen), ("keep", total - chosen))
        ]
    )
    return (
        alt.Chart(rows)
        .mark_bar()
        .encode(
            x=alt.X(
                "images:Q",
                title="Training images",
                scale=alt.Scale(domain=[0, int(max(totals))], nice=False),
            ),
            y=alt.Y("class:N", title=None, sort=list(names), axis=alt.Axis(labelOverlap=False)),
            color=alt.Color(
                "part:N",
                scale=alt.Scale(domain=["forget", "keep"], range=[FORGET, RETAIN]),
                legend=alt.Legend(title=None, orient="top"),
            ),
            order=alt.Order("part:N"),
            tooltip=["class:N", "part:N", alt.Tooltip("images:Q", format=",")],
        )
        .properties(height=100 + 22 * len(names), description=description)
    )
