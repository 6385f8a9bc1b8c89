"""What was found inside, or how far the look is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.errors import BadRequest, CheckpointMissing, LabError
from core.runs.run import Run
from ui import outside
from ui.screens.inside.which import SCREEN
from ui.services import images, inside
from ui.widgets.data import data_or_stop, images_missing, use_digits
from ui.widgets.errors import say
from ui.widgets.finished_run import not_kept
from ui.wording.inside import DOING

if TYPE_CHECKING:
    from core.data.dataset import ImageDataset
    from core.inside.found import Inside

TICK = 0.4


def found_or_wait(run: Run) -> tuple[Inside, ImageDataset]:
    """The numbers and the images; until they are there, and where they cannot be, says so and ends
    the page."""
    if not images.available(run.plan.dataset):
        images_missing(run.plan.dataset)
        use_digits()
        st.stop()
    try:
        data = images.dataset(run.plan.dataset)
    except LabError as error:
        data_or_stop(error)
    look = inside.look(run, data)
    if not look.ended(TICK):
        st.fragment(_tick, run_every=TICK)(look)
        st.stop()
    if look.error is not None:
        inside.forget(run)
        _cannot(run, look.error)
    assert look.inside is not None
    return look.inside, data


def _tick(look: inside.Look) -> None:
    """One tick of waiting; ends it once the look is done."""
    if look.ended():
        st.rerun()
    st.progress(look.share, DOING[look.model])
    st.caption(
        "Some thousand photos pass through each network once, and what is found is kept: the next "
        "visit waits for nothing."
    )


def _cannot(run: Run, error: LabError) -> None:
    """Why there is nothing to see, and the way on."""
    if isinstance(error, CheckpointMissing):
        not_kept(run, error, SCREEN)
    elif isinstance(error, BadRequest):
        st.info(outside.plain(error), icon=":material/visibility_off:")
    else:
        say(error)
        st.button("Try again", key="try-again")
    st.stop()
