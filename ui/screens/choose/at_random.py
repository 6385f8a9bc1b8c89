"""A random share of all training images."""

from __future__ import annotations

import streamlit as st

from core.data.requests import MOST_SEED, ForgetRequest
from ui.state import drafts, values


def _set_random() -> None:
    """From the random widgets to the draft."""
    drafts.choose(
        drafts.draft().dataset,
        ForgetRequest.random(values.get("choose-percent") / 100, values.get("choose-random-seed")),
    )


def panel(total: int) -> None:
    """The share and the seed of the draw. total: how many training images there are."""
    now = drafts.draft()
    drawn = now.request if now.request and now.request.kind == "random" else None
    share = 10.0
    if drawn is not None:
        share = 100 * (drawn.fraction or (drawn.count or 0) / total)
    values.put("choose-percent", min(90.0, max(0.1, round(share, 1))))
    values.put("choose-random-seed", drawn.seed if drawn else 0)
    left, right = st.columns(2)
    left.slider(
        "Share of all training images",
        0.1,
        90.0,
        step=0.1,
        key="choose-percent",
        format="%.1f %%",
        on_change=_set_random,
    )
    right.number_input(
        "Seed of the draw",
        0,
        MOST_SEED,
        key="choose-random-seed",
        on_change=_set_random,
        help="The same seed draws the same images.",
    )
    if drawn is None and st.button("Draw them", key="draw"):
        _set_random()
        st.rerun()
