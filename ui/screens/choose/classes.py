"""Whole classes to forget, or a share of each."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.data.requests import MOST_SEED, ForgetRequest
from ui import outside
from ui.state import drafts, values


def _set_classes() -> None:
    """From the class widgets to the draft."""
    names, share = values.get("choose-classes"), values.get("choose-share")
    request = None
    if names:
        seed = values.get("choose-class-seed", 0) if share < 100 else 0
        request = ForgetRequest.of_classes(
            *names, fraction=None if share == 100 else share / 100, seed=seed
        )
    drafts.choose(drafts.draft().dataset, request)


def panel(names: Sequence[str]) -> None:
    """The classes, the share of each, and below 100 % the seed of the draw."""
    now = drafts.draft()
    whole = now.request if now.request and now.request.kind == "classes" else None
    values.put("choose-classes", [n for n in whole.classes if n in names] if whole else [])
    share = 100 if whole is None or whole.fraction is None else round(100 * whole.fraction)
    values.first("choose-share", 100)
    if whole is not None:
        values.put("choose-share", min(100, max(1, share)))
    st.pills(
        "Classes to forget",
        names,
        selection_mode="multi",
        key="choose-classes",
        on_change=_set_classes,
        format_func=outside.plain,
    )
    st.slider(
        "How much of each",
        1,
        100,
        key="choose-share",
        format="%d %%",
        on_change=_set_classes,
        help="Below 100 %, the images are drawn at random from each class.",
    )
    if values.get("choose-share") < 100:
        values.put("choose-class-seed", whole.seed if whole else 0)
        st.number_input(
            "Seed of the draw",
            0,
            MOST_SEED,
            key="choose-class-seed",
            on_change=_set_classes,
            help="The same seed draws the same images.",
        )
