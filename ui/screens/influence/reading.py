"""What has to be done once a model before any photo can be explained, with its progress."""

from __future__ import annotations

import streamlit as st

from core.errors import LabError
from ui import outside
from ui.services import influence
from ui.services.influence import Reading
from ui.state.session import session
from ui.widgets.errors import say
from ui.wording import numbers

PHASES = {
    "": "Loading the network",
    "features": "Looking at the training photos",
    "fit": "Fitting the last layer to its optimum",
}


def ready_or_stop(model: str, dataset: str, total: int) -> None:
    """Once the head of the model is there, goes on; until then offers to make it, or shows how far
    it is, and ends the page. total: how many training photos there are."""
    made = influence.reading(model, dataset)
    if made.head is not None:
        return
    if made.running:
        st.fragment(_progress, run_every=0.5)(made)
        st.stop()
    _offer(made, total)
    st.stop()


def _offer(made: Reading, total: int) -> None:
    if made.error:
        st.error(outside.plain(made.error), icon=":material/error:")
    try:
        kept = influence.has_features(made.model, made.dataset)
    except LabError as error:
        say(error)
        return
    first = (
        "What the network sees in each of them is kept here already, so this takes seconds."
        if kept
        else "This is done once a model, and how long it takes is said once it has begun."
    )
    st.markdown(
        f"To find them the network looks at all {total:,} training photos, and its last layer is "
        f"fitted to them as well as can be. {first}"
    )
    label = "Try again" if made.error else "Find the photos that taught it"
    if st.button(label, key="influence-start", type="primary", icon=":material/travel_explore:"):
        made.start(session.owner)
        st.rerun()


def _progress(made: Reading) -> None:
    if not made.running:
        st.rerun()
    share = min(1.0, made.done / made.total) if made.total else 0.0
    text = PHASES[made.phase]
    if made.phase == "features":
        text += f": {made.done:,} of {made.total:,}"
    if (left := made.seconds_left) is not None:
        text += f", about {numbers.duration(left)} left"
    st.progress(share, text)
    if made.owner != session.owner:
        st.caption("Another visitor started this; what it finds is for all.")
    elif st.button("Stop", key="influence-stop", icon=":material/stop_circle:"):
        made.cancel()
