"""Graphs forget too: a node leaves, and only its shard learns again."""

import streamlit as st

from core.errors import LabError
from ui import graph_links
from ui.screens.graphs.choice import choice, from_link
from ui.screens.graphs.result import preview, result
from ui.services import graphs
from ui.state import address, values
from ui.widgets import errors, frame, recovery, runs_at_hand
from ui.wording.graphs import INTRODUCTION

frame.setup_page("Graphs")
recovery.service_or_stop()
runs_at_hand.keep_watch()
st.title("Graphs forget too")
st.markdown(INTRODUCTION)
st.caption(graphs.dataset().source)
chosen = None
try:
    if linked := from_link():
        values.put("graphs-asked", linked)
except LabError as error:
    errors.say(error)
try:
    chosen = choice()
except LabError as error:
    errors.say(error)
if st.button(
    "Forget", type="primary", key="graphs-forget", icon=":material/hub:", disabled=chosen is None
):
    values.put("graphs-asked", chosen)
asked = values.get("graphs-asked")
address.write(**(graph_links.to_params(asked) if asked else {}))
try:
    if asked is None:
        with st.spinner("Placing the nodes, once.", show_time=True):
            graphs.positions()
        preview(values.get("graphs-partition", "blpa"))
    else:
        with st.spinner("Teaching the shards, once.", show_time=True):
            graphs.ready(asked.kind, asked.partition)
        with st.spinner("Forgetting, and retraining one network beside it.", show_time=True):
            found = graphs.deleted(asked.kind, asked.partition, asked.repartition, asked.request)
        result(asked, found)
except LabError as error:
    errors.say(error)
