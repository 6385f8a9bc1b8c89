"""Depth by depth: what is still known, how alike the networks are, what has moved, and where the
photos lie at the depth that the slider is at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt
import numpy as np
import streamlit as st

from core.metrics.representation import READ_OUT_MARGIN
from core.runs.run import Run
from ui.charts.depths import Spot, bars, marks
from ui.screens.inside.photos import photos
from ui.widgets.figures import draw
from ui.widgets.specs import made_once
from ui.wording import inside as words

if TYPE_CHECKING:
    from core.data.dataset import ImageDataset
    from core.inside.found import Inside

LEAST = 0.15
"""Half the width of the axis at least: five times the band, so that noise never fills a row."""
POINTS, TENTHS = "format(100 * datum.value, '+d')", "format(datum.value, '.1f')"
IDEAL_AT_0 = "datum.value == 0 ? 'ideal' : format(100 * datum.value, '+d')"
WHOSE = {0: "forgotten photos", 1: "kept photos"}


def depths(run: Run, inside: Inside, data: ImageDataset) -> None:
    """All charts that the slider is for. It moves nothing else, so only these are drawn anew."""
    st.subheader("Where the memory sits")
    st.markdown(words.memory(inside))
    st.fragment(_charts)(run.id, inside, data)


def _charts(id: str, inside: Inside, data: ImageDataset) -> None:
    names = [str(depth) for depth in inside.depths]
    here = st.select_slider(
        "Depth, from the image to the answer",
        names,
        value="features",
        format_func=words.depth_name,
        key=f"inside-depth-{id}",
    )
    at = names.index(here)
    known, alike, moved = st.columns([5, 4, 3], gap="medium")
    with known:
        _known(id, inside, at)
    with alike:
        _alike(id, inside, at)
    with moved:
        _moved(id, inside, at)
    st.caption(
        "Hollow: before unlearning. Diamond: now, in colour where it surely knows more or less "
        "than the ideal, all depths taken together. Shaded: as near to the ideal as the verdict "
        "takes for the same. Pale bar: 95 % interval."
    )
    photos(id, inside, at, data)


def _known(id: str, inside: Inside, at: int) -> None:
    st.markdown("##### What it still knows")
    if not np.isfinite(inside.excess[1]).any():
        st.caption("Too few photos for a read-out.")
        return
    draw(made_once((id, "known", at), lambda: _chart_of_known(inside, at)), "inside-known")
    st.caption(words.asked(inside))


def _chart_of_known(inside: Inside, at: int) -> alt.LayerChart:
    ideal = bool(np.isfinite(inside.away).any())
    before, now = inside.away if ideal else inside.excess[:2]
    places = words.places(inside)
    spots = [
        Spot(
            words.depth_name(str(depth)),
            float(before[k, 0]),
            *(float(x) for x in now[k]),
            news=ideal and places[k] in ("more", "less"),
            said="; ".join(
                f"{words.TITLES[model].lower()} {words.there(inside, i, k)}"
                for i, model in enumerate(words.TITLES)
                if np.isfinite(inside.right[i, k]).all()
            ),
        )
        for k, depth in enumerate(inside.depths)
    ]
    half = max(LEAST, 1.05 * float(np.nanmax(np.abs(np.concatenate([before, now])))))
    return marks(
        spots,
        words.depth_name(str(inside.depths[at])),
        "points from the ideal" if ideal else "points more often right",
        (-half, half),
        words.spoken(f"What each depth still knows of the forgotten. {words.memory(inside)}"),
        READ_OUT_MARGIN if ideal else None,
        IDEAL_AT_0 if ideal else POINTS,
    )


def _alike(id: str, inside: Inside, at: int) -> None:
    st.markdown("##### How alike inside (CKA)")
    side = st.segmented_control(
        "On the",
        list(WHOSE),
        default=0,
        required=True,
        format_func=WHOSE.get,
        key="inside-alike-side",
        label_visibility="collapsed",
    )
    said = words.alike(inside, side)
    draw(
        made_once((id, "alike", at, side), lambda: _chart_of_alike(inside, at, side, said)),
        "inside-alike",
    )
    st.markdown(said)
    st.caption("To the ideal; the tick: to the network before.")


def _chart_of_alike(inside: Inside, at: int, side: int, said: str) -> alt.LayerChart:
    before, now, own = (inside.alike[i, side] for i in range(3))
    spots = [
        Spot(
            words.depth_name(str(depth)),
            float(before[k]),
            float(now[k]),
            beside=float(own[k]),
            said=f"CKA to the ideal {now[k]:.2f} now, {before[k]:.2f} before; to the network "
            f"before {own[k]:.2f}",
        )
        for k, depth in enumerate(inside.depths)
    ]
    low = min(0.0, float(np.nanmin(inside.alike))) if np.isfinite(inside.alike).any() else 0.0
    here = words.depth_name(str(inside.depths[at]))
    return marks(
        spots, here, "1: the same but for a turn", (low, 1.02), words.spoken(said), label=TENTHS
    )


def _moved(id: str, inside: Inside, at: int) -> None:
    st.markdown("##### How far it moved")
    said = words.moved(inside)
    names = [words.depth_name(str(depth)) for depth in inside.depths]
    title = "share of the weights' length"
    draw(
        made_once(
            (id, "moved", at),
            lambda: bars(names, inside.moved.tolist(), names[at], title, words.spoken(said)),
        ),
        "inside-moved",
    )
    st.markdown(said)
