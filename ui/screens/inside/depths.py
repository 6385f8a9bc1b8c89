"""Depth by depth: what is still known, how alike the networks are, what has moved, and where the
photos lie at the depth that the slider is at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from core.metrics.representation import READ_OUT_MARGIN
from core.runs.run import Run
from ui.charts.depths import Spot, bars, marks
from ui.screens.inside.photos import photos
from ui.widgets.figures import draw
from ui.wording import inside as words

if TYPE_CHECKING:
    from core.data.dataset import ImageDataset
    from core.inside.found import Inside

LEAST = 0.15
"""Half the width of the axis at least: five times the band, so that noise never fills a row."""
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
        _known(inside, at)
    with alike:
        _alike(inside, at)
    with moved:
        _moved(inside, at)
    st.caption(
        "Hollow: before unlearning. Diamond: now, in colour where it surely knows more or less "
        "than the ideal. Shaded: as near to the ideal as the verdict takes for the same. Pale bar: "
        f"95 % interval. {words.asked(inside)}"
    )
    photos(id, inside, at, data)


def _known(inside: Inside, at: int) -> None:
    st.markdown("##### What it still knows")
    ideal = bool(np.isfinite(inside.away).any())
    before, now = inside.away if ideal else inside.excess[:2]
    spots = [
        Spot(
            words.depth_name(str(depth)),
            float(before[k, 0]),
            *(float(x) for x in now[k]),
            news=ideal and words.place(now[k]) in ("more", "less"),
            said="; ".join(
                f"{words.TITLES[model].lower()} {words.there(inside, i, k)}"
                for i, model in enumerate(words.TITLES)
                if np.isfinite(inside.right[i, k]).all()
            ),
        )
        for k, depth in enumerate(inside.depths)
    ]
    if not np.isfinite(now).any():
        st.caption("Too few photos for a read-out.")
        return
    reach = np.nanmax(np.abs(np.concatenate([before, now]))) * 1.05
    half = float(max(LEAST, reach))
    title = "points from the ideal" if ideal else "points more often right"
    draw(
        marks(
            spots,
            words.depth_name(str(inside.depths[at])),
            title,
            (-half, half),
            f"What each depth still knows of the forgotten. {words.memory(inside)}",
            READ_OUT_MARGIN if ideal else None,
            **({"label": IDEAL_AT_0} if ideal else {}),
        ),
        "inside-known",
    )


def _alike(inside: Inside, at: int) -> None:
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
    before, now, own = (inside.alike[i, side] for i in range(3))
    said = words.alike(inside, side)
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
    draw(
        marks(
            spots,
            words.depth_name(str(inside.depths[at])),
            "1: the same but for a turn",
            (low, 1.02),
            said,
            label="format(datum.value, '.1f')",
        ),
        "inside-alike",
    )
    st.markdown(said)
    st.caption("To the ideal; the tick: to the network before.")


def _moved(inside: Inside, at: int) -> None:
    st.markdown("##### How far it moved")
    said = words.moved(inside)
    names = [words.depth_name(str(depth)) for depth in inside.depths]
    here = names[at]
    draw(
        bars(names, inside.moved.tolist(), here, "share of the weights' length", said),
        "inside-moved",
    )
    st.markdown(said)
