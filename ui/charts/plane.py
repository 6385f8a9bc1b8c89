"""The photos as several networks see them, side by side in one plane: whoever points at a photo in
one sees it in all, with its picture and the way between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ui.charts.palette import FORGET, INK, TEST

EDGE = 0.05
HEIGHT, PICTURE = 340, 64
PICKED = "picked"
DRAWN = ("kept", "new", "forgotten")
"""The sets from the bottom up."""
Frame = tuple[NDArray[np.float32], NDArray[np.float32]]


def plane(
    places: Mapping[str, NDArray[np.float32]],
    sets: Sequence[str],
    names: Sequence[str],
    pictures: Sequence[str],
    chosen: int | None,
    shown: NDArray[np.bool_],
    description: str,
) -> alt.LayerChart:
    """The photos in each network. places: (photos, 2) by the network's title, from left to right.

    sets: of each photo, "forgotten", "new" or "kept". names: what each is called. pictures: their
    data addresses. chosen: the position of one to point out, whatever is shown. shown: bool
    (photos,), those that are drawn. A click on a photo is selected as `PICKED`, by the field "id".
    """
    frame = _frame_of(places)
    panels = [_panel(i, title, xy, frame, sets) for i, (title, xy) in enumerate(places.items())]
    rows = pd.concat(panels)
    facts = pd.DataFrame({"id": range(len(names)), "name": names, "picture": pictures})
    rows = rows[shown[rows["id"]] | (rows["id"] == chosen)].merge(facts[["id", "name"]], on="id")
    rows = rows.assign(
        opacity=rows["set"].map({"kept": 0.3}).fillna(0.85),
        size=rows["set"].map({"kept": 26}).fillna(45),
    )
    rows = rows.sort_values("set", key=lambda sets: sets.map(DRAWN.index), kind="stable")
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, len(places)], nice=False))
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[-0.02, 1.12], nice=False))
    hover = alt.selection_point(
        name="hover", fields=["id"], on="pointerover", nearest=True, empty=False, clear="pointerout"
    )
    picked = alt.selection_point(name=PICKED, fields=["id"], on="click", nearest=True, empty=False)
    order = ["forgotten", "new", "kept"]
    base = alt.Chart(rows)
    points = (
        base.mark_point(filled=True)
        .encode(
            x,
            y,
            color=alt.Color(
                "set:N",
                scale=alt.Scale(domain=order, range=[FORGET, TEST, INK]),
                legend=alt.Legend(title=None, orient="top", symbolSize=90, symbolOpacity=1),
            ),
            shape=alt.Shape(
                "set:N", scale=alt.Scale(domain=order, range=["diamond", "triangle", "circle"])
            ),
            opacity=alt.Opacity("opacity:Q", scale=None),
            size=alt.Size("size:Q", scale=None),
            tooltip=[alt.Tooltip("name:N", title="Photo"), alt.Tooltip("network:N", title="Seen")],
        )
        .add_params(hover, picked)
    )
    pointed = base.transform_filter(hover)
    layers = [
        *_frames(places),
        points,
        *_way(pointed, x, y),
        pointed.transform_lookup("id", alt.LookupData(facts, "id", ["picture"]))
        .mark_image(width=PICTURE, height=PICTURE, smooth=False, yOffset=-PICTURE * 0.7, aria=False)
        .encode(x, y, url="picture:N"),
    ]
    if chosen is not None:
        layers += _way(base.transform_filter(alt.datum.id == chosen), x, y)
    return alt.layer(*layers).properties(height=HEIGHT, description=description)


def _frame_of(places: Mapping[str, NDArray[np.float32]]) -> Frame:
    """The corners that all networks share; one photo in a hundred may lie beyond."""
    every = np.concatenate(list(places.values()))
    low, high = np.nanpercentile(every, 0.5, axis=0), np.nanpercentile(every, 99.5, axis=0)
    return low, np.maximum(high - low, 1e-9)


def _panel(
    number: int,
    title: str,
    xy: NDArray[np.float32],
    frame: Frame,
    sets: Sequence[str],
) -> pd.DataFrame:
    """The points of one network, in its own part of the x axis."""
    low, size = frame
    inside = EDGE + (1 - 2 * EDGE) * np.clip((xy - low) / size, -0.03, 1.03)
    table = pd.DataFrame({"x": number + inside[:, 0], "y": inside[:, 1], "set": list(sets)})
    return table.assign(id=range(len(xy)), network=title, number=number).dropna()


def _way(photo: alt.Chart, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """One photo in all networks, and the way from one to the next."""
    line = photo.mark_line(color=INK, strokeWidth=1.5, opacity=0.8, aria=False).encode(
        x, y, detail="id:N", order="number:Q"
    )
    ring = photo.mark_point(
        size=190, strokeWidth=2.5, color=INK, filled=False, opacity=1, aria=False
    )
    return [line, ring.encode(x, y)]


def _frames(places: Mapping[str, NDArray[np.float32]]) -> list[alt.Chart]:
    """What each part is, and where it ends."""
    titles = alt.Chart(
        pd.DataFrame({"x": [i + EDGE / 2 for i in range(len(places))], "title": list(places)})
    )
    ends = alt.Chart(pd.DataFrame({"x": range(1, len(places))}))
    across = alt.X("x:Q", axis=None)
    return [
        ends.mark_rule(color=INK, opacity=0.3).encode(across),
        titles.mark_text(
            align="left", baseline="top", fontSize=14, fontWeight="bold", color=INK
        ).encode(across, alt.Y(value=0), text="title:N"),
    ]
