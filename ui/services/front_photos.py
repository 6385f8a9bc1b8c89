"""Six photos for the front page, without torch: of those that the run shown there forgot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.data.glimpse import glimpse, some_digits
from core.data.requests import ForgetRequest
from core.errors import LabError

COUNT = 6


@dataclass(frozen=True)
class Shown:
    """photos: uint8 (n, 3, 32, 32). names: what each shows. positions: where each stands in the
    forget set; empty where they are digits that stand in."""

    photos: NDArray[np.uint8]
    names: list[str]
    positions: list[int]


def of_request(dataset: str, request: ForgetRequest, digest: str) -> Shown:
    """Photos of a forget set where decoded images are in the cache that give the same set, else
    digits. digest: of the forget set, as the run has it."""
    return _shown(dataset, request.to_json(), digest)


@st.cache_data(show_spinner=False, max_entries=16, ttl="1m")
def _shown(dataset: str, request: str, digest: str) -> Shown:
    if (found := glimpse(dataset)) is not None:
        try:
            parts = found.forget_set(ForgetRequest.from_json(request))
        except (LabError, OSError, ValueError):
            parts = None
        if parts is not None and parts.digest == digest:
            positions = np.linspace(0, len(parts.forget) - 1, COUNT).astype(int)
            chosen = parts.forget[positions]
            names = [found.class_names[label] for label in found.labels[chosen]]
            return Shown(found.photos(chosen), names, positions.tolist())
    digits, digit_names = some_digits(COUNT)
    return Shown(digits, digit_names, [])
