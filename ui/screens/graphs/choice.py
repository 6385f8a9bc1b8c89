"""What to forget, from which kind of shards."""

from __future__ import annotations

import streamlit as st

from core.graphs.requests import GraphRequest
from ui.services import graphs
from ui.services.graphs import Choice
from ui.wording.graphs import NETWORKS, PARTITIONS

WAYS = {
    "best-connected": "Best connected",
    "nodes": "At random",
    "class": "A whole class",
    "edges": "Edges",
    "features": "Features",
}
MOST = 200


def choice() -> Choice:
    """The widgets, and what they say."""
    left, right = st.columns(2)
    with left:
        way = st.segmented_control(
            "What to forget",
            list(WAYS),
            default="best-connected",
            required=True,
            format_func=WAYS.get,
            key="graphs-way",
        )
        request = _amount(way or "best-connected")
    with right:
        kind = st.segmented_control(
            "Network", list(NETWORKS), default="gcn", required=True,
            format_func=NETWORKS.get, key="graphs-kind",
        )  # fmt: skip
        partition = st.segmented_control(
            "Shards are dealt by", list(PARTITIONS), default="blpa", required=True,
            format_func=PARTITIONS.get, key="graphs-partition",
            help="BLPA and BEKM are GraphEraser's own: they keep communities, or like nodes, "
            "together, in shards of one size.",
        )  # fmt: skip
        repartition = st.toggle(
            "Deal the others anew",
            key="graphs-anew",
            help="Then nothing is left of what is forgotten, not even in who is in which shard.",
        )
    return Choice(kind or "gcn", partition or "blpa", repartition, request)


def _amount(way: str) -> GraphRequest:
    if way == "class":
        names = graphs.dataset().class_names
        name = st.selectbox("Digit", names, index=3, key="graphs-class")
        return GraphRequest("class", name=name)
    count = st.slider("How many", 1, MOST, 1, key="graphs-count")
    return GraphRequest(way, count=count)  # type: ignore[arg-type]
