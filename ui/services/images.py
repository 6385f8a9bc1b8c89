"""The images, and what a choice means on them.

Whatever imports torch is imported inside the function that needs it; the data sets live once a
process, in Streamlit's resource cache.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.data import sources
from core.data.requests import SCORES, ForgetRequest, Kind
from core.data.splits import Split
from core.errors import LabError
from core.files import cache_folder

if TYPE_CHECKING:
    from core.data.dataset import ImageDataset

log = logging.getLogger(__name__)


def available(name: str) -> bool:
    """Whether the images are on this machine. Imports no torch, decodes nothing."""
    try:
        return sources.available(name)
    except LabError as error:
        log.warning("%s", error)
        return False


def named_folder_lacks(name: str) -> LabError | None:
    """What is wrong with the folder that FORGETTING_LAB_DATA names, None without such a folder.
    What was downloaded, or would be, is not looked at while it is named."""
    try:
        folder, named = sources.data_folder(name, None, cache_folder())
        if named:
            sources.find_source(folder, name)
    except LabError as error:
        return error
    return None


@st.cache_resource(show_spinner="Reading the images…")
def dataset(name: str) -> ImageDataset:
    """The images, shared by all sessions. Raises LabError; imports torch."""
    from core.data.load import load_dataset

    return load_dataset(name)


@st.cache_resource(show_spinner=False)
def scores(name: str, kind: Kind = "memorised") -> NDArray[np.float32] | None:
    """Memorisation as that kind of request has it, one number a training image (higher is more),
    None where there are none. Raises LabError where there are no images."""
    from core.checkpoints.memorisation import memorisation_scores

    data = dataset(name)
    try:
        found = memorisation_scores(data, SCORES[kind])
    except LabError as error:
        log.warning("no memorisation scores for %s: %s", name, error)
        return None
    if found is not None and len(found) != len(dataset(name).train_labels):
        log.warning("the memorisation scores for %s are of other images", name)
        return None
    return None if found is None else found.astype(np.float32)


def split(name: str, request: ForgetRequest) -> Split:
    """The index sets of a request on a data set. Raises LabError."""
    from core.data.splits import split as split_request

    wanted = scores(name, request.kind) if request.scores else None
    return split_request(dataset(name), request, wanted)


def case(name: str, request: ForgetRequest) -> str:
    """Which tuned presets a run of this request uses, "class" or "random". Raises LabError."""
    from core.runs.offered_data import case_of

    return case_of(dataset(name), split(name, request))


def whole_classes(name: str, request: ForgetRequest) -> bool:
    """Whether a request is for all images of one or more classes. Raises LabError."""
    from core.runs.offered_data import forgotten_classes

    return bool(forgotten_classes(dataset(name), split(name, request)))
