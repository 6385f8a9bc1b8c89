"""The images, and what a choice means on them.

Whatever imports torch is imported inside the function that needs it; the data sets live once a
process, in Streamlit's resource cache.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
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


@dataclass(frozen=True)
class FewPhotos:
    """The few photos of a forget set that every look of a run looks at. photos: of each its
    position in the forget set, its pixels, uint8 (3, 32, 32), and its label's name. names: of all
    classes. count: photos in the whole forget set."""

    photos: tuple[tuple[int, NDArray[np.uint8], str], ...]
    names: tuple[str, ...]
    count: int


def few_of(name: str, request: ForgetRequest) -> FewPhotos | None:
    """The photos that a run of this request shows on its way; None where the images are not
    here."""
    if not available(name):
        return None
    try:
        return _few(name, json.dumps(request.to_dict(), sort_keys=True))
    except LabError as error:
        log.warning("no photos of %s: %s", name, error)
        return None


@st.cache_resource(show_spinner=False, max_entries=32)
def _few(name: str, request: str) -> FewPhotos:
    from core.runs.live import photos_of

    data, parts = dataset(name), split(name, ForgetRequest.from_dict(json.loads(request)))
    labels, names = data.train_labels.numpy(), data.class_names
    chosen = photos_of(parts)
    found = tuple(
        (int(position), data.train_images[int(index)].numpy(), names[labels[index]])
        for position, index in zip(np.searchsorted(parts.forget, chosen), chosen, strict=True)
    )
    return FewPhotos(found, names, len(parts.forget))


def case(name: str, request: ForgetRequest) -> str:
    """Which tuned presets a run of this request uses, "class" or "random". Raises LabError."""
    from core.runs.offered_data import case_of

    return case_of(dataset(name), split(name, request))


def whole_classes(name: str, request: ForgetRequest) -> bool:
    """Whether a request is for all images of one or more classes. Raises LabError."""
    from core.runs.offered_data import forgotten_classes

    return bool(forgotten_classes(dataset(name), split(name, request)))
