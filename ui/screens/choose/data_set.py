"""The switch between the data sets that are here, and the images of the one chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.errors import LabError
from ui import links, outside
from ui.services import images
from ui.state import drafts, values
from ui.widgets.data import data_or_stop, images_missing, use_digits
from ui.widgets.frame import CHOOSE
from ui.wording import terms

if TYPE_CHECKING:
    from core.data.dataset import ImageDataset


def _pick_data() -> None:
    """Another data set: a choice of one does not carry over."""
    drafts.choose(values.get("choose-data"), None)


def images_or_stop(page: str = CHOOSE) -> tuple[ImageDataset, NDArray[np.float32] | None]:
    """The draft's images and their memorisation scores, if there are any; without images, says
    what helps and ends the page. page: where the offer of digits leads."""
    now = drafts.draft()
    have = [name for name in links.DATASETS if images.available(name)]
    if now.dataset not in have:
        images_missing(now.dataset)
        use_digits(page)
        st.stop()
    if len(have) > 1:
        values.put("choose-data", now.dataset)
        st.segmented_control(
            "Images",
            have,
            key="choose-data",
            required=True,
            on_change=_pick_data,
            format_func=terms.DATASETS.get,
        )
    try:
        data = images.dataset(now.dataset)
        scores = images.scores(now.dataset)
    except LabError as error:
        data_or_stop(error, page)
    st.caption(outside.plain(data.source))
    return data, scores
