"""The forgotten photos, each by itself: what the networks make of it, and whether it is told."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.attacks.curve import SMALLEST
from core.data.splits import drawn
from core.runs.photos import Photo, photos
from core.runs.run import Run
from ui.services import run_images
from ui.widgets.figures import table
from ui.widgets.wall import Cell, wall
from ui.wording import of_photos

SHOWN = 12
"""Photos of a larger forget set that are shown, always the same."""


def one_by_one(run: Run) -> None:
    """The photos with what each network says of them; their table where the images are not here."""
    found = photos(run)
    if not found:
        return
    if len(found) >= SMALLEST:  # of a handful this is the verdict, and stands in the stamp
        st.subheader("Your photos, one by one")
        st.markdown(of_photos.summary(found))
    some = _some(found)
    pictures = of_forget_set(run, len(found), [photo.position for photo in some])
    if pictures is not None:
        wall([_cell(photo, *picture) for photo, picture in zip(some, pictures, strict=True)])
        said = "Bars: how sure each network is of the photo's label. "
    else:
        said = "The images are not on this machine, so their numbers stand alone. "
    shown = f"{len(some)} of {len(found):,} photos are shown. " * (len(some) < len(found))
    st.caption(f"{said}{shown}{of_photos.METHOD}")
    if pictures is None and len(found) < SMALLEST:
        as_table(run)


def _some(found: Sequence[Photo]) -> Sequence[Photo]:
    """A handful is shown whole."""
    if len(found) < SMALLEST:
        return found
    return [found[i] for i in drawn(np.arange(len(found)), SHOWN)]


def _cell(photo: Photo, picture: NDArray[np.uint8], label: str) -> Cell:
    bars = (("before", photo.before), ("now", photo.now), ("ideal", photo.ideal))
    return Cell(picture, label, (of_photos.SAID[photo.word],), bars)


def as_table(run: Run) -> None:
    """The photos that are shown, as a table."""
    some = _some(photos(run))
    if not some:
        return
    table(
        {
            "photo": [photo.position + 1 for photo in some],
            "sure of its label, before": [photo.before for photo in some],
            "now": [photo.now for photo in some],
            "ideal": [photo.ideal for photo in some],
            "new photos as familiar": [photo.familiar for photo in some],
            "said of it": [of_photos.SAID[photo.word] for photo in some],
        },
        "The forgotten photos, one by one",
        percents=("sure of its label, before", "now", "ideal", "new photos as familiar"),
    )


def of_forget_set(
    run: Run, count: int, positions: Sequence[int]
) -> list[tuple[NDArray[np.uint8], str]] | None:
    """Photos of a run's forget set, of `count` in all, with their labels' names; None where the
    images are not here, or are others than the run was made with."""
    found = run_images.of_run(run)
    if found is None or len(found[1].forget) != count:
        return None
    data, parts = found
    chosen = parts.forget[list(positions)]
    labels = data.train_labels.numpy()[chosen]
    pixels = data.train_images.numpy()[chosen]
    return [(x, data.class_names[label]) for x, label in zip(pixels, labels, strict=True)]
