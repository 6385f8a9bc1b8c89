"""A tree over the 8 x 8 pixels of a digit: which pixels the model holds to go together."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import altair as alt
import pandas as pd

from ui.charts.digits import SIDE
from ui.charts.palette import FORGET, NEUTRAL, RETAIN

Edge = Sequence[int]
BOTH = "in both"
TREE = 280
"""Of a square picture; a phone has room for it."""
BEND, STEPS = 0.2, 8
"""How far a long edge is bent, as a share of its length, and of how many pieces it is."""


def pixel_tree(
    edges: Sequence[Edge], different: Collection[tuple[int, int]], gone: bool, description: str
) -> alt.LayerChart:
    """The pixels as dots at their places, an edge a line. different: those that the other tree
    does not have, drawn in colour and, where they are `gone`, dashed."""
    name = "gone afterwards" if gone else "new"
    parts = [
        {"x": x, "y": y, "at": at, "id": number, "edge": name if tuple(edge) in different else BOTH}
        for number, edge in enumerate(sorted(edges, key=lambda edge: tuple(edge) in different))
        for at, (x, y) in enumerate(_bow(*edge))
    ]
    lines = pd.DataFrame(parts, columns=["x", "y", "at", "id", "edge"])
    dots = pd.DataFrame(
        {"x": [i % SIDE for i in range(SIDE**2)], "y": [i // SIDE for i in range(SIDE**2)]}
    )
    scale = alt.Scale(domain=[-0.5, SIDE - 0.5], nice=False)
    x = alt.X("x:Q", axis=None, scale=scale)
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[SIDE - 0.5, -0.5], nice=False))
    domain = [BOTH, name]
    legend = alt.Legend(title=None, orient="bottom", symbolType="stroke", symbolSize=300)
    rules = (
        alt.Chart(lines)
        .mark_line(strokeWidth=3)
        .encode(
            x=x,
            y=y,
            detail="id:N",
            order="at:Q",
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
    return alt.layer(rules, points.encode(x=x, y=y)).properties(
        width=TREE, height=TREE, description=description
    )


def _bow(first: int, second: int) -> list[tuple[float, float]]:
    """Points from one pixel to another: straight between neighbours, else bent, so that no edge
    hides behind those of the pixels between."""
    (y, x), (y2, x2) = divmod(first, SIDE), divmod(second, SIDE)
    far = max(abs(x2 - x), abs(y2 - y)) > 1
    bend, steps = (BEND, STEPS) if far else (0.0, 1)
    middle = (x + x2) / 2 - bend * (y2 - y), (y + y2) / 2 + bend * (x2 - x)
    points = []
    for t in (step / steps for step in range(steps + 1)):
        a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t**2
        points.append((a * x + b * middle[0] + c * x2, a * y + b * middle[1] + c * y2))
    return points
