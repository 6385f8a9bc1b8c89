"""The link to the network of the other screens: a last layer made of counts."""

from __future__ import annotations

import streamlit as st

from core.data.requests import ForgetRequest
from core.errors import LabError
from ui.services import probabilities
from ui.widgets.errors import say
from ui.widgets.figures import table
from ui.wording import probabilities as words


def in_a_network(request: ForgetRequest) -> None:
    """A network whose last layer is made of sums: that layer forgets exactly, the rest does not."""
    st.subheader("Counts on top of a network")
    st.markdown(
        "A network turns an image into features, and its last layer answers from these. Take a "
        "last layer that is made of sums over the features (a Gaussian discriminant), and it "
        "forgets exactly. The features were learned from the same images."
    )
    box = st.expander("Try it on the network of the digits", key="head", on_change="rerun")
    if not box.open:
        return
    with box:
        try:
            done = probabilities.forgotten(probabilities.HEAD, request)
            inside = probabilities.in_network(request)
        except LabError as error:
            say(error)
            return
        st.markdown(f"#### {words.head(done, inside)}")
        if inside is None:
            st.markdown(words.no_network())
            table(words.rows(done), "The last layer: before, after and fitted again")
            return
        st.markdown(words.features(inside))
        label = "The network with its last layer of sums, and one that never saw the images"
        table(words.measured_rows(inside.measured, inside=True), label)
