"""The front page: the story, with a finished run on real photos shown at once.

It imports neither torch nor scikit-learn, and needs neither data nor network.
"""

import streamlit as st

from ui.screens import front
from ui.widgets import data, frame, recovery, runs_at_hand

frame.setup_page(frame.TITLE)
notices = st.container()
front.introduction()
losses = st.container()
front.finished_run()

# The store comes after the result: a visitor sees that before the database has been opened.
with notices:
    recovery.service_or_stop()
    runs_at_hand.keep_watch()
with losses:
    recovery.lost_runs()

if st.button("Choose what to forget", type="primary", key="start", icon=":material/arrow_forward:"):
    st.switch_page(frame.CHOOSE)
front.classic_cases()
st.subheader("The data")
data.data_note()
