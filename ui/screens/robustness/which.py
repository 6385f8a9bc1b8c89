"""What the page on robustness says of the run that it is about."""

from __future__ import annotations

import streamlit as st

from core.data.dataset import ImageDataset
from core.data.splits import Split
from core.errors import CheckpointMissing, LabError
from core.runs.run import Run
from ui.services import images, robustness, run_images
from ui.widgets.data import images_missing, use_digits
from ui.widgets.errors import say
from ui.widgets.finished_run import Screen, not_kept
from ui.wording.be_the_spy import OTHERS
from ui.wording.robustness import INTRODUCTION

SCREEN = Screen(
    name="robustness",
    introduction=INTRODUCTION,
    button="See what it withstands",
    icon=":material/shield:",
    not_yet="what it withstands can be asked once it has been measured",
    nothing="It left no network to try.",
    again="what it withstands can be measured",
)


def subject_or_stop(run: Run) -> tuple[ImageDataset, Split]:
    """The images, where they and the network that the run left are here; else says what brings
    them back, and ends the page."""
    if not images.available(run.plan.dataset):
        images_missing(run.plan.dataset)
        use_digits()
        st.stop()
    here = run_images.of_run(run)
    if here is None:
        st.info(OTHERS, icon=":material/image_not_supported:")
        st.stop()
    try:
        robustness.check_kept(run)
    except CheckpointMissing as error:
        not_kept(run, error, SCREEN)
        st.stop()
    except LabError as error:
        say(error)
        st.stop()
    return here
