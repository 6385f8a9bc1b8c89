"""Models that are more than sums, beside the one that counts."""

from __future__ import annotations

import streamlit as st

from core.data.requests import ForgetRequest
from core.errors import LabError
from ui.screens.probabilities import home
from ui.screens.probabilities.counts import take_away
from ui.services import probabilities
from ui.widgets.errors import say


def beside(request: ForgetRequest) -> None:
    """The same digits, forgotten by a model that cannot do it exactly, and why."""
    st.subheader("A model that guesses something nobody saw")
    labels = probabilities.labels(probabilities.HIDDEN)
    name = st.segmented_control(
        "The model that is more than counts",
        list(labels),
        default=home.first("hidden", labels, "mixture"),
        required=True,
        format_func=labels.get,
        key="probabilities-hidden",
        persist_state="session",
    )
    ways = probabilities.methods(name)
    method = next(iter(ways))
    if len(ways) > 1:
        method = st.segmented_control(
            "How it forgets",
            list(ways),
            default=home.first("way", ways, method),
            required=True,
            format_func=ways.get,
            key="probabilities-method",
            persist_state="session",
        )
    try:
        done = probabilities.forgotten(name, request, method)
    except LabError as error:
        say(error)
        return
    st.markdown(f"{done.task.model.sentence} {done.task.method.sentence}")
    take_away(done)
    home.take_home(done, request)
