"""The photos as each network sees them at one depth, and the photo that was picked."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import altair as alt
import numpy as np
import streamlit as st

from core.inside.found import MODELS, PHOTO_SETS
from ui import outside
from ui.charts.plane import PICKED, plane
from ui.state import values
from ui.widgets.figures import draw, table
from ui.widgets.grid import address_of
from ui.widgets.mosaic import mosaic
from ui.widgets.specs import made_once
from ui.wording import inside_photos
from ui.wording.inside import SETS, TITLES, spoken

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from core.data.dataset import ImageDataset
    from core.inside.found import Inside

CHART = "inside-plane"


def photos(id: str, inside: Inside, depth: int, data: ImageDataset) -> None:
    """The plane, and what is known of one photo. id: of the run."""
    st.markdown("##### The photos, as each network sees them there")
    names = [
        inside_photos.photo_name(inside, i, data.class_names) for i in range(len(inside.photos))
    ]
    pixels, pictures = _pictures(inside, data)
    key = f"inside-photo-{id}"

    def pick() -> None:
        picked = values.get(CHART, {}).get("selection", {}).get(PICKED) or []
        if picked:
            values.put(key, int(picked[0]["id"]))

    known = {
        TITLES[model]: inside.places[i, depth]
        for i, model in enumerate(MODELS)
        if np.isfinite(inside.places[i, depth]).any()
    }
    said = inside_photos.plane(inside, depth)
    changed = inside_photos.changed(inside)
    which = st.segmented_control(
        "Show the photos",
        list(inside_photos.WHICH),
        default="all",
        required=True,
        format_func=lambda name: f"{name} ({_count(changed, name)})",
        key="inside-which-photos",
        label_visibility="collapsed",
    )
    chosen = values.first(key, 0)

    def make() -> alt.LayerChart:
        sets = [SETS[PHOTO_SETS[s]] for s in inside.photo_sets]
        alt_text = f"{len(names)} photos in {len(known)} networks, side by side. {said}"
        return plane(known, sets, names, pictures, chosen, _mask(changed, which), spoken(alt_text))

    chart = made_once((id, "plane", depth, chosen, which), make)
    wide, narrow = st.columns([7, 3], gap="medium")
    with wide:
        draw(chart, CHART, on_select=pick, selection_mode=PICKED)
        st.markdown(said)
    with narrow:
        _one(inside, depth, data.class_names, names, pixels, key)
    st.caption(
        "Point at a photo to see it in every network; click to keep it. The axes are the two "
        "directions in which the network before sets these photos apart most (PCA). The others "
        "have axes of their own, so each is first turned to where the kept photos lie as they did "
        "(orthogonal Procrustes): what lies elsewhere then has moved, compared with those."
    )


def _mask(changed: NDArray[np.bool_], which: str) -> NDArray[np.bool_]:
    """The photos that a filter lets through."""
    wanted = inside_photos.WHICH[which]
    return np.ones(len(changed), bool) if wanted is None else changed == wanted


def _count(changed: NDArray[np.bool_], which: str) -> int:
    return int(_mask(changed, which).sum())


def _one(
    inside: Inside,
    depth: int,
    classes: tuple[str, ...],
    names: list[str],
    pixels: NDArray[np.uint8],
    key: str,
) -> None:
    """The photo that was picked: its picture, and what each network makes of it."""
    chosen = st.selectbox("A photo", range(len(names)), format_func=lambda i: names[i], key=key)
    large = address_of(mosaic(pixels[chosen][None], scale=4))
    st.html(f'<img src="{large}" alt="{html.escape(names[chosen])}" width="128" height="128">')
    harmless = [outside.plain(name) for name in classes]
    st.markdown(inside_photos.photo_said(inside, chosen, depth, harmless))
    likely = inside.probabilities[:, chosen]
    order = np.argsort(-np.nan_to_num(likely).max(axis=0), kind="stable")
    columns = {"answer": [classes[k] for k in order]} | {
        TITLES[model].lower(): likely[i, order]
        for i, model in enumerate(MODELS)
        if np.isfinite(likely[i]).all()
    }
    table(columns, f"Answers to {names[chosen]}", list(columns)[1:], height=178)


def _pictures(inside: Inside, data: ImageDataset) -> tuple[NDArray[np.uint8], list[str]]:
    which = inside.photo_sets.tobytes(), inside.photos.astype(np.int64).tobytes()
    return _of_photos(data.fingerprint, *which, data)


@st.cache_data(show_spinner=False, max_entries=8)
def _of_photos(
    name: str, sets: bytes, photos: bytes, _data: ImageDataset
) -> tuple[NDArray[np.uint8], list[str]]:
    """uint8 (photos, 3, 32, 32), and the addresses of small pictures. name: of the data set; sets,
    photos: which they are."""
    import torch

    indices = np.frombuffer(photos, np.int64)
    test = np.frombuffer(sets, np.int8) == PHOTO_SETS.index("test")
    pixels = np.zeros((len(indices), 3, 32, 32), np.uint8)
    for side, images in ((test, _data.test_images), (~test, _data.train_images)):
        pixels[side] = images[torch.from_numpy(indices[side])].numpy()
    return pixels, [address_of(mosaic(picture[None]), exact=False) for picture in pixels]
