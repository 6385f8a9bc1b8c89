"""What is to be forgotten, and by which model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from core.data.requests import ForgetRequest
from core.errors import LabError
from ui import links, outside
from ui.screens.probabilities import home
from ui.services import images, probabilities
from ui.state import drafts, values
from ui.widgets.errors import say
from ui.widgets.frame import CHOOSE
from ui.widgets.mosaic import mosaic
from ui.wording import terms
from ui.wording.probabilities import CHOICES

if TYPE_CHECKING:
    from core.graphical.forgetting import Forgotten

KEY = "probabilities-forget"
MOST = 10
"""Digits that are shown of those to forget."""


def introduction() -> None:
    """What the screen is about."""
    st.markdown(
        "A neural network mixes all that it saw into every weight. Some older models keep books "
        "instead: they count, and answer from the counts. Whoever asks to be forgotten is taken "
        "out of the count. Here three kinds of models learn handwritten digits and forget some of "
        "them while you watch."
    )
    st.caption(terms.DIGITS_NOTE)


def _now() -> ForgetRequest | None:
    """The draft's request, if it is for the digits."""
    draft = drafts.draft()
    return draft.request if draft.dataset == probabilities.DIGITS else None


def _choose() -> None:
    """From the widget to the draft."""
    text = values.get(KEY)
    request = links.forget_request(text) if text else None
    drafts.choose(probabilities.DIGITS, request)


def _clear() -> None:
    drafts.choose(probabilities.DIGITS, None)


def switch() -> None:
    """The choices that are offered; a choice from elsewhere stays as it is."""
    request = _now()
    by_request = {links.forget_request(text): text for text in CHOICES}
    values.put(KEY, by_request.get(request) if request else None)
    st.segmented_control(
        "What to forget",
        list(CHOICES),
        format_func=CHOICES.get,
        key=KEY,
        on_change=_choose,
    )
    st.page_link(CHOOSE, label="Or choose other digits", icon=":material/touch_app:")


def request_or_stop() -> ForgetRequest:
    """What is to be forgotten; where nothing is, says so and ends the page."""
    request = _now()
    if request is not None:
        return request
    st.info("Nothing is to be forgotten yet. Take one of the choices.", icon=":material/touch_app:")
    if st.button("Forget 50 digits", key="probabilities-start", type="primary"):
        drafts.choose(probabilities.DIGITS, ForgetRequest.random(50))
        st.rerun()
    st.stop()


def model() -> str:
    """The model that counts."""
    labels = probabilities.labels(probabilities.COUNTED)
    name: str = st.segmented_control(
        "The model that counts",
        list(labels),
        default=home.first("counted", labels, "tan"),
        required=True,
        format_func=labels.get,
        key="probabilities-model",
        persist_state="session",
    )
    return name


def forgotten_or_stop(model: str, request: ForgetRequest) -> Forgotten:
    """The model before, after and retrained; where the request cannot be met says so and ends the
    page."""
    try:
        done = probabilities.forgotten(model, request)
    except LabError as error:
        say(error)
        st.button("Clear the choice", key="clear-bad", on_click=_clear)
        st.stop()
    data, gone = images.dataset(probabilities.DIGITS), done.task.split.forget
    some = gone[np.linspace(0, len(gone) - 1, min(len(gone), MOST)).astype(int)]
    st.markdown(
        f"**{outside.plain(request.describe().capitalize())}**: {len(gone):,} of "
        f"{len(data.train_labels):,}. {done.task.model.sentence}"
    )
    st.image(
        mosaic(data.train_images[some].numpy(), 2),
        alt=f"{len(some)} of the digits to forget",
        caption=f"{len(some)} of the {len(gone)} to forget",
    )
    return done
