"""Where does the memory sit? A finished run, depth by depth, beside the network before and the
ideal."""

import streamlit as st

from ui.screens.inside.answers import answers
from ui.screens.inside.depths import depths
from ui.screens.inside.foot import foot
from ui.screens.inside.found import found_or_wait
from ui.screens.inside.which import run_or_stop
from ui.state.session import session
from ui.widgets import frame, recovery, runs_at_hand

frame.setup_page("Inside")
recovery.service_or_stop()
runs_at_hand.keep_watch(session.run)
st.title("Look inside")

run = run_or_stop()
inside, data = found_or_wait(run)
depths(run, inside, data)
answers(run.id, inside, data.class_names)
foot(run, inside)
