"""A graph with its shards, and what a deletion does to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ui.charts.palette import FORGET, NEUTRAL

GROUPS = (
    "#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#8C6BB1",
    "#44AA99", "#B8860B", "#7F7F7F", "#336699", "#66A61E",
)  # fmt: skip
"""Ten groups apart from the colour of what is forgotten; shapes repeat them."""
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross")


NONE = "forgotten"
"""The group of what is in none any more."""


def drawn(
    numbers: NDArray[np.int64],
    places: NDArray[np.float64],
    groups: Sequence[str],
    edges: NDArray[np.int64],
    gone: NDArray[np.bool_],
    near: NDArray[np.bool_],
    cut: NDArray[np.int64],
    title: str,
    description: str,
) -> alt.LayerChart:
    """numbers: of the nodes in their data set. places: (n, 2), 0 to 1. groups: of each node. edges:
    (2, e), positions, drawn faintly. gone, near: which nodes are forgotten, and which are their
    neighbours. cut: (2, k), edges that go.
    """
    nodes = pd.DataFrame(
        {
            "x": places[:, 0].round(3),
            "y": places[:, 1].round(3),
            "node": numbers,
            "group": list(groups),
            "state": np.where(gone, "forgotten", np.where(near, "its neighbours", "others")),
        }
    )
    names = sorted(set(groups), key=lambda name: (len(name), name))
    scale = alt.Scale(domain=[-0.03, 1.03], nice=False)
    x = alt.X("x:Q", axis=None, scale=scale)
    y = alt.Y("y:Q", axis=None, scale=scale)
    colours = [NEUTRAL if name == NONE else GROUPS[i % len(GROUPS)] for i, name in enumerate(names)]
    shapes = [SHAPES[i % len(SHAPES)] for i in range(len(names))]
    legend = alt.Legend(title=title, orient="right", symbolOpacity=1)
    base = alt.Chart(nodes)
    points = base.mark_point(filled=True, size=22, opacity=0.75, clip=True).encode(
        x=x,
        y=y,
        color=alt.Color("group:N", scale=alt.Scale(domain=names, range=colours), legend=legend),
        shape=alt.Shape("group:N", scale=alt.Scale(domain=names, range=shapes), legend=legend),
        tooltip=[
            alt.Tooltip("node:Q", format="d"),
            alt.Tooltip("group:N", title=title),
            alt.Tooltip("state:N", title="this node"),
        ],
    )
    marked = base.transform_filter("datum.state != 'others'").mark_point(
        filled=False, strokeWidth=2, color=FORGET, clip=True
    )
    rings = marked.encode(
        x=x,
        y=y,
        size=alt.Size(
            "state:N",
            scale=alt.Scale(domain=["forgotten", "its neighbours"], range=[170, 45]),
            legend=alt.Legend(title="ringed", orient="right", symbolStrokeColor=FORGET),
        ),
    )
    layers: list[Any] = [_lines(places, edges, x, y, NEUTRAL, 0.12, 0.5)]
    layers += [points, _lines(places, cut, x, y, FORGET, 0.9, 1.5), rings]
    return (
        alt.layer(*layers)
        .resolve_scale(color="independent", shape="independent", size="independent")
        .configure_view(stroke=None)
        .properties(height=430, description=description)
    )


def _lines(
    places: NDArray[np.float64],
    edges: NDArray[np.int64],
    x: alt.X,
    y: alt.Y,
    colour: str,
    opacity: float,
    width: float,
) -> alt.Chart:
    first, second = places[edges[0]].round(3), places[edges[1]].round(3)
    rows = pd.DataFrame(
        {"x": first[:, 0], "y": first[:, 1], "x2": second[:, 0], "y2": second[:, 1]}
    )
    return (
        alt.Chart(rows)
        .mark_rule(color=colour, opacity=opacity, strokeWidth=width, clip=True)
        .encode(x=x, y=y, x2="x2:Q", y2="y2:Q")
    )


def shards(
    before: Sequence[int], after: Sequence[int], trained: Sequence[int], description: str
) -> alt.LayerChart:
    """How many nodes each shard has, and which are trained again; a line where it stood before."""
    rows = pd.DataFrame(
        {
            "shard": [f"shard {i + 1}" for i in range(len(before))],
            "before": list(before),
            "after": [*after, *[0] * (len(before) - len(after))],
            "network": [
                "trained again" if i in trained else "kept as it is" for i in range(len(before))
            ],
        }
    )
    order = alt.Y(
        "shard:N", title=None, sort=list(rows["shard"]), axis=alt.Axis(labelOverlap=False)
    )
    most = max(*before, *after, 1)
    scale = alt.Scale(domain=[0, most], nice=False)
    bars = (
        alt.Chart(rows)
        .mark_bar()
        .encode(
            x=alt.X("after:Q", title="Nodes", scale=scale),
            y=order,
            color=alt.Color(
                "network:N",
                scale=alt.Scale(domain=["trained again", "kept as it is"], range=[FORGET, NEUTRAL]),
                legend=alt.Legend(title="its network", orient="top"),
            ),
            tooltip=["shard:N", "before:Q", "after:Q", "network:N"],
        )
    )
    ticks = (
        alt.Chart(rows)
        .mark_tick(thickness=2, color=NEUTRAL)
        .encode(x=alt.X("before:Q", scale=scale), y=order)
    )
    return alt.layer(bars, ticks).properties(height=60 + 24 * len(before), description=description)
