"""Watch it forget: pick a method, start it, follow it live, and read off whether it worked."""

import streamlit as st

from core.errors import LabError
from ui.links import Draft
from ui.screens.unlearn.ended import ended, leave_run
from ui.screens.unlearn.live import follow
from ui.screens.unlearn.set_up import set_up
from ui.services import jobs
from ui.state import address
from ui.state.session import session
from ui.widgets import errors, frame, recovery, runs_at_hand

frame.setup_page("Unlearn")
recovery.service_or_stop()
together = session.together if session.run in session.together else []
runs_at_hand.keep_watch(session.run, *together)
st.title("Watch it forget")

run_id = session.run
if run_id is None:
    address.write()
    set_up()
    st.stop()
try:
    job = jobs.job(run_id, session.owner)
except LabError as error:
    address.write()
    errors.say(error)
    st.button("Set up a run instead", key="new-run", type="primary", on_click=leave_run)
    st.stop()
session.draft = Draft.of_plan(job.plan)
address.write(run=run_id, runs=",".join(together))
if job.alive:
    follow(job)
else:
    ended(job)
