"""Images picked one by one from a grid, by class and in an order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.data.requests import ForgetRequest
from ui.state import drafts, values
from ui.widgets.grid import image_grid

if TYPE_CHECKING:
    from core.data.dataset import ImageDataset

PAGE = 60
"""As many images as one page of the grid shows."""


def panel(data: ImageDataset, scores: NDArray[np.float32] | None) -> None:
    """The grid and what it shows. scores: memorisation, one a training image."""
    now = drafts.draft()
    picked = list(now.request.indices) if now.request else []
    ids, shown = _page(data.train_labels.numpy(), data.class_names, scores)
    chosen_here = image_grid(
        data.train_images[ids].numpy(),
        ids,
        _captions(data, scores, ids),
        picked,
        f"Images to pick, {shown}",
        key="pick-grid",
    )
    if chosen_here is not None:
        # What is picked on other pages stays; a choice of another kind is replaced.
        everything = sorted((set(picked) - set(ids.tolist())) | chosen_here)
        if everything != picked:
            request = ForgetRequest.of_indices(everything) if everything else None
            drafts.choose(now.dataset, request)
    st.caption(
        "Click an image to pick it or to put it back. With the keyboard: arrow keys move, space "
        "picks. What you pick stays picked on other pages and classes."
    )


def _page(
    labels: NDArray[np.int64], names: Sequence[str], scores: NDArray[np.float32] | None
) -> tuple[NDArray[np.int64], str]:
    """Asks for class, order and page; gives the images on it, and what they are."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        shown = st.selectbox(
            "Show", ["all classes", *names], key="pick-class", persist_state="session"
        )
        orders = ["data set order"]
        if scores is not None:
            orders = ["most memorised first", "least memorised first", *orders]
        order = st.selectbox("Order", orders, key="pick-order", persist_state="session")
        members = np.arange(len(labels))
        if shown in names:
            members = np.flatnonzero(labels == names.index(shown))
        if scores is not None and order != "data set order":
            sign = -1 if order == "most memorised first" else 1
            members = members[np.argsort(sign * scores[members], kind="stable")]
        pages = -(-len(members) // PAGE)
        if values.get("pick-page", 1) > pages:
            values.put("pick-page", 1)
        page = st.number_input(
            f"Page (of {pages:,})", 1, pages, key="pick-page", persist_state="session"
        )
    return members[(page - 1) * PAGE : page * PAGE], f"{shown}, {order}, page {page}"


def _captions(
    data: ImageDataset, scores: NDArray[np.float32] | None, ids: NDArray[np.int64]
) -> list[str]:
    """What each image of the page is, for a pointer and for a screen reader."""
    labels, names = data.train_labels.numpy(), data.class_names
    return [
        f"{names[labels[i]]}, image {i}"
        + ("" if scores is None else f", memorisation {scores[i]:.2f}")
        + (
            ", label wrong on purpose"
            if data.wrong_labels is not None and data.wrong_labels[i]
            else ""
        )
        for i in ids
    ]
