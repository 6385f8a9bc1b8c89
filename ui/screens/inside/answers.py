"""What each class is called now, and what the ideal calls it, beside the answers before."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from core.metrics.confusion import of_each_class
from ui import outside
from ui.charts.answers import change
from ui.widgets.figures import draw
from ui.widgets.specs import made_once
from ui.wording import inside_photos
from ui.wording.inside import spoken

if TYPE_CHECKING:
    from core.inside.found import Inside

SIDES = {0: "photos to forget", 1: "new photos"}


def answers(id: str, inside: Inside, names: tuple[str, ...]) -> None:
    """Two matrices of what changed, on one scale of colours. id: of the run."""
    st.subheader("What it says now, class by class")
    side = st.segmented_control(
        "Of the",
        list(SIDES),
        default=1 if inside.whole else 0,
        required=True,
        format_func=SIDES.get,
        key="inside-answers-side",
        label_visibility="collapsed",
    )
    shares = [of_each_class(inside.confusions[i, side]) for i in range(3)]
    apart = [np.abs(then - shares[0]) for then in shares[1:] if np.isfinite(then).any()]
    largest = max((float(np.nanmax(each)) for each in apart), default=0.0)
    said = inside_photos.answers(inside, side, names)
    st.markdown(inside_photos.answers(inside, side, [outside.plain(name) for name in names]))
    rows = {1: "From before to now", 2: "From before to the ideal"}
    for place, (model, title) in zip(st.columns(2, gap="medium"), rows.items(), strict=True):
        with place:
            st.markdown(f"##### {title}")
            if not np.isfinite(shares[model]).any():
                st.caption("No network that never saw these photos is kept.")
                continue
            then = shares[model]
            make = partial(change, shares[0], then, names, largest, spoken(f"{title}. {said}"))
            draw(made_once((id, "answers", side, model), make), f"inside-answers-{model}")
    images = int(inside.confusions[0, side].sum())
    st.caption(
        f"{images:,} {SIDES[side]}. A row is what the photos are, a column what they are called; "
        "numbers are points, changes below half a point are left empty."
    )
