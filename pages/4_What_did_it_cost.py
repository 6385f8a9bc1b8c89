"""Seconds against distance to the ideal: what does forgetting cost, and who pays for it?"""

import streamlit as st

from ui.screens.cost.afford import afford, as_table
from ui.screens.cost.classes import classes
from ui.screens.cost.priced import priced_or_stop, to_compare
from ui.widgets import frame, recovery, runs_at_hand

frame.setup_page("What did it cost")
recovery.service_or_stop()
runs_at_hand.keep_watch()
st.title("What did it cost?")
st.markdown(
    "Retraining without the photos always forgets them, and takes longest. Every other method "
    "trades seconds for nearness. How much does it take to come near, and to forget inside as well?"
)
priced = priced_or_stop()
left, right = st.columns([3, 2], gap="large")
with left:
    best = afford(priced)
with right:
    classes(priced.costs, best)
as_table(priced)
to_compare(priced.costs)
