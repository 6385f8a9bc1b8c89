"""The ways to choose, and which of them is on screen."""

from __future__ import annotations

import streamlit as st

from core.data.requests import ForgetRequest
from ui.state import drafts, values

WAYS = {
    "cases": "Classic cases",
    "classes": "Whole classes",
    "random": "At random",
    "indices": "Pick images",
}


def _way_of(request: ForgetRequest | None) -> str:
    """The tab that a request belongs to."""
    if request is None or request.scores:
        return "cases"
    return "random" if request.kind == "fold" else request.kind


def switch() -> str:
    """Shows the ways; gives the one taken.

    A request that came from a link or a card shows in its own tab; later the visitor's tab stays.
    """
    request = drafts.draft().request
    come = request is not None and values.get("choose-seen") != request
    if come or not values.has("choose-way"):
        values.put("choose-way", _way_of(request))
    st.segmented_control(
        "How to choose",
        list(WAYS),
        key="choose-way",
        required=True,
        format_func=WAYS.get,
        persist_state="session",
    )
    way: str = values.get("choose-way")
    return way


def remember() -> None:
    """The draft's request has been on screen: from now on the visitor's tab stays."""
    values.put("choose-seen", drafts.draft().request)
