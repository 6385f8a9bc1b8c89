"""Graphs forget too: a node leaves, and only its shard learns again."""

import json

import streamlit as st

from core.errors import LabError
from ui.screens.graphs.choice import choice
from ui.screens.graphs.result import result
from ui.services import graphs
from ui.state import address
from ui.widgets import errors, frame, recovery, runs_at_hand
from ui.wording.graphs import INTRODUCTION

frame.setup_page("Graphs")
recovery.service_or_stop()
runs_at_hand.keep_watch()
st.title("Graphs forget too")
address.write()
st.markdown(INTRODUCTION)
st.caption(graphs.dataset().source)
chosen = choice()
with st.spinner("Teaching ten shards, once.", show_time=True):
    graphs.ready(chosen.kind, chosen.partition)
    graphs.positions()
try:
    with st.spinner("Forgetting, and retraining one network beside it.", show_time=True):
        request = json.dumps(chosen.request.to_dict())
        found = graphs.deleted(chosen.kind, chosen.partition, chosen.repartition, request)
    result(chosen, found)
except LabError as error:
    errors.say(error)
