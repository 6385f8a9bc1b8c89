"""What a finished run's network withstands: worse photos, attacks, and training that goes on."""

import streamlit as st

from ui.screens.robustness import answers
from ui.screens.robustness.question import question
from ui.screens.robustness.which import SCREEN, subject_or_stop
from ui.services import robustness
from ui.services.robustness import Asked
from ui.state.session import session
from ui.widgets import finished_run, frame, recovery, runs_at_hand
from ui.wording.robustness import INTRODUCTION, LIMITS, QUESTIONS

frame.setup_page("Robustness")
recovery.service_or_stop()
runs_at_hand.keep_watch(session.run)
st.title("What does it withstand?")

run = finished_run.run_or_stop(SCREEN)
st.markdown(INTRODUCTION)
data, parts = subject_or_stop(run)
size = st.segmented_control(
    "How many new photos to ask about: more take longer, and tell smaller differences",
    robustness.sizes(),
    default=200,
    required=True,
    key="robustness-images",
)

for name, (title, explained, _) in QUESTIONS.items():
    st.subheader(title)
    st.markdown(explained)
    if name == "corruptions":
        asked = Asked(run.id, name, images=size)
        question(run, data, asked, lambda found: answers.corruptions(found, data, parts))
    elif name == "adversarial":
        levels = st.select_slider(
            "Levels of 255 that each pixel may change by",
            [0.5, 1.0, 2.0, 4.0, 8.0],
            1.0,
            key="robustness-levels",
            format_func=lambda number: f"{number:g}",
        )
        question(run, data, Asked(run.id, name, size, levels), answers.adversarial)
    else:
        question(run, data, Asked(run.id, name), answers.relearning)
st.caption(LIMITS)
