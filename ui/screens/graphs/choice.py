"""What to forget, from which kind of shards."""

from __future__ import annotations

import streamlit as st

from core.graphs.requests import GraphRequest
from ui import graph_links
from ui.graph_links import MOST, Choice
from ui.services import graphs
from ui.state import address, values
from ui.wording.graphs import NETWORKS, PARTITIONS

WAYS = {
    "best-connected": "Best connected",
    "nodes": "At random",
    "class": "A whole class",
    "indices": "By number",
    "edges": "Edges",
    "features": "Features",
}
PICKED = {
    "indices": ("Numbers of nodes", "Point at a node to see its number. Say 12, 40."),
    "edges": ("Or these edges", "The two nodes of each, say 12-40, 7-9. Empty: at random."),
    "features": ("Or of these nodes", "Their numbers, say 12, 40. Empty: at random."),
}


def from_link() -> Choice | None:
    """What the link that opened the page asks for, and the widgets that say so; None where it asks
    for nothing. Raises LabError."""
    found = graph_links.from_params(address.own(*graph_links.NAMES))
    if found is None:
        return None
    request = found.request
    values.put("graphs-way", request.kind)
    values.put("graphs-kind", found.kind)
    values.put("graphs-partition", found.partition)
    values.put("graphs-anew", found.repartition)
    if request.count is not None:
        values.put("graphs-count", request.count)
    if request.name in graphs.dataset().class_names:
        values.put("graphs-class", request.name)
    values.put(f"graphs-picked-{request.kind}", graph_links.chosen(request))
    return found


def choice() -> Choice:
    """The widgets, and what they say. Raises LabError."""
    left, right = st.columns([3, 2])
    with right:
        values.first("graphs-kind", "gcn")
        kind = st.segmented_control(
            "Network", list(NETWORKS), required=True, format_func=NETWORKS.get, key="graphs-kind"
        )
        values.first("graphs-partition", "blpa")
        partition = st.segmented_control(
            "Shards are dealt by", list(PARTITIONS), required=True,
            format_func=PARTITIONS.get, key="graphs-partition",
            help="BLPA and BEKM are GraphEraser's own: they keep communities, or like nodes, "
            "together, in shards of one size.",
        )  # fmt: skip
        repartition = st.toggle(
            "Deal the others anew",
            key="graphs-anew",
            help="Then nothing is left of what is forgotten, not even in who is in which shard.",
        )
    with left:
        values.first("graphs-way", "best-connected")
        way = st.segmented_control(
            "What to forget", list(WAYS), required=True, format_func=WAYS.get, key="graphs-way"
        )
        return Choice(kind, partition, repartition, _request(way))


def _request(way: str) -> GraphRequest:
    if way == "class":
        names = graphs.dataset().class_names
        values.first("graphs-class", names[3])
        return GraphRequest("class", name=st.selectbox("Digit", names, key="graphs-class"))
    text = ""
    if way in PICKED:
        label, said = PICKED[way]
        text = st.text_input(label, key=f"graphs-picked-{way}", help=said)
    if text.strip() or way == "indices":
        return graph_links.picked(way, text)
    values.first("graphs-count", 1)
    count = st.slider("How many", 1, MOST, key="graphs-count")
    return GraphRequest(way, count=count)  # type: ignore[arg-type]
