"""Every unlearning method: what it does, what it reads, whom it suits, what it costs."""

import streamlit as st

from core.errors import LabError
from ui.screens.methods import between
from ui.screens.methods.cards import cards
from ui.screens.methods.measured import measured
from ui.services import methods, shipped
from ui.state import address
from ui.widgets import errors, frame, recovery, runs_at_hand

frame.setup_page("Methods")
recovery.service_or_stop()
runs_at_hand.keep_watch()
st.title("The methods")
address.write()

count = len(methods.descriptions())
try:
    rows = shipped.measured_methods()
except LabError as error:
    errors.say(error)
    rows = []
st.markdown(
    f"{count} ways to make a network forget. How near does each come to a network that never saw "
    "the photos: outside, in what it answers, and inside, in what it still recognises?"
)
dots = []
if rows:
    case = between.case(rows)
    dots = between.dots_of(rows, case)
    between.chart(rows, case, dots)
cards(rows, dots)
if rows:
    measured(rows, case)
