"""A tree over the 8 x 8 pixels of a digit: which pixels the model holds to go together."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import altair as alt
import pandas as pd

from ui.charts.digits import SIDE
from ui.charts.palette import FORGET, NEUTRAL, RETAIN

Edge = Sequence[int]


def pixel_tree(
    edges: Sequence[Edge], different: Collection[tuple[int, int]], gone: bool, description: str
) -> alt.LayerChart:
    """The pixels as dots at their places, an edge a line. different: those that the other tree
    does not have, drawn in colour and, where they are `gone`, dashed."""
    name = "gone afterwards" if gone else "new"
    kinds = [name if tuple(edge) in different else "in both" for edge in edges]
    lines = pd.DataFrame(
        {
            "x": [i % SIDE for i, _ in edges],
            "y": [i // SIDE for i, _ in edges],
            "x2": [j % SIDE for _, j in edges],
            "y2": [j // SIDE for _, j in edges],
            "edge": kinds,
        },
        columns=["x", "y", "x2", "y2", "edge"],
    )
    dots = pd.DataFrame(
        {"x": [i % SIDE for i in range(SIDE**2)], "y": [i // SIDE for i in range(SIDE**2)]}
    )
    scale = alt.Scale(domain=[-0.5, SIDE - 0.5], nice=False)
    x = alt.X("x:Q", axis=None, scale=scale)
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[SIDE - 0.5, -0.5], nice=False))
    domain = ["in both", name]
    legend = alt.Legend(title=None, orient="bottom", symbolType="stroke", symbolSize=300)
    rules = (
        alt.Chart(lines)
        .mark_rule(strokeWidth=3)
        .encode(
            x=x,
            y=y,
            x2="x2:Q",
            y2="y2:Q",
            color=alt.Color(
                "edge:N",
                scale=alt.Scale(domain=domain, range=[NEUTRAL, FORGET if gone else RETAIN]),
                legend=legend,
            ),
            strokeDash=alt.StrokeDash(
                "edge:N",
                scale=alt.Scale(domain=domain, range=[[1, 0], [4, 3] if gone else [1, 0]]),
                legend=legend,
            ),
        )
    )
    points = alt.Chart(dots).mark_point(filled=True, size=30, color=NEUTRAL, opacity=1)
    return alt.layer(rules, points.encode(x=x, y=y)).properties(height=340, description=description)
