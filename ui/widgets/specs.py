"""Charts that cost a tenth of a second to make, kept for the next time they are drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import altair as alt
import streamlit as st


@st.cache_data(show_spinner=False, max_entries=64)
def made_once(about: tuple[object, ...], _make: Callable[[], alt.TopLevelMixin]) -> dict[str, Any]:
    """A chart's Vega-Lite, made by whoever asks first. about: all that it depends on."""
    made: dict[str, Any] = _make().to_dict(validate=False)  # its parts are checked as they are made
    return made
