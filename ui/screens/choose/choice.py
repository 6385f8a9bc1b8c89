"""What has been chosen: how much it is, what it looks like, and the way on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from core.data.requests import ForgetRequest
from core.data.splits import Split
from core.errors import LabError
from ui import outside
from ui.charts.classes import class_counts
from ui.services import images
from ui.state import drafts
from ui.widgets.errors import say
from ui.widgets.figures import draw, table
from ui.widgets.frame import UNLEARN
from ui.widgets.mosaic import mosaic
from ui.wording import numbers

if TYPE_CHECKING:
    from core.data.dataset import ImageDataset

FOLLOW = "The network keeps everything else."


def _clear() -> None:
    """Nothing is chosen."""
    drafts.choose(drafts.draft().dataset, None)


def split_or_stop() -> Split:
    """What the choice is in index sets; where nothing is chosen, or what cannot be, says so and
    ends the page."""
    now = drafts.draft()
    if now.request is None:
        st.info(
            "Nothing is chosen yet. Take a classic case, a class, a random share, or click images.",
            icon=":material/touch_app:",
        )
        if st.button("Take a random tenth", key="take-random", type="primary"):
            drafts.choose(now.dataset, ForgetRequest.random(0.1))
            st.rerun()
        st.stop()
    try:
        return images.split(now.dataset, now.request)
    except LabError as error:
        say(error)
        st.button("Clear the choice", key="clear-bad", on_click=_clear)
        st.stop()


def summary(split: Split, total: int) -> None:
    """How many images of all it is, and the way on. total: how many training images there are."""
    request, count = drafts.draft().request, len(split.forget)
    assert request is not None
    st.markdown(
        f"**{outside.plain(request.describe().capitalize())}**: {count:,} of {total:,}, or "
        f"{numbers.percent(count / total)}. {FOLLOW}"
    )
    if count < 10:
        st.caption("So few are asked about one by one: of each you will see whether it is told.")
    with st.container(horizontal=True):
        if st.button("Watch it forget", key="go", type="primary", icon=":material/arrow_forward:"):
            st.switch_page(UNLEARN)
        st.button("Clear the choice", key="clear", on_click=_clear)


def preview(data: ImageDataset, split: Split) -> None:
    """Some of the images, and how many of each class."""
    left, right = st.columns(2)
    with left:
        _pictures(data, split)
    with right:
        _class_bars(data, split)


def _pictures(data: ImageDataset, split: Split) -> None:
    labels, names, count = data.train_labels.numpy(), data.class_names, len(split.forget)
    some = split.forget[np.linspace(0, count - 1, min(count, 40)).astype(int)]
    classes = sorted({names[labels[i]] for i in some})
    st.image(
        mosaic(data.train_images[some].numpy(), 2),
        alt=f"{len(some)} of the images to forget, of the classes {', '.join(classes)}",
        caption=f"{len(some)} of the {count:,} images to forget"
        if count > len(some)
        else f"All {count} images to forget",
    )


def _class_bars(data: ImageDataset, split: Split) -> None:
    labels, names = data.train_labels.numpy(), data.class_names
    totals = np.bincount(labels, minlength=len(names))
    forget = np.bincount(labels[split.forget], minlength=len(names))
    most = int(forget.argmax())
    text = (
        f"{np.count_nonzero(forget)} of {len(names)} classes lose images; most of all "
        f"{names[most]}: {forget[most]:,} of {totals[most]:,}."
    )
    draw(class_counts(names, forget, totals, text), "class-bars")
    st.markdown(outside.plain(text))
    with st.expander("The same as a table"):
        table(
            {"class": list(names), "to forget": forget, "in all": totals},
            "Images to forget by class",
        )
