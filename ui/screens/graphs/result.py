"""What a deletion did: the graph, its shards, and what it cost."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.errors import LabError
from core.graphs.deletion import Deletion
from core.graphs.live import LiveDeletion
from ui.charts import graph as charts
from ui.services import graphs
from ui.services.graphs import Choice
from ui.widgets import errors
from ui.widgets.figures import draw, table
from ui.wording import graphs as words

LABELS = {
    "before": "the shards, before",
    "after": "the shards, after",
    "one network": "one network, retrained",
}


def preview(choice: Choice) -> None:
    """The graph with its shards, before anything is forgotten."""
    st.markdown(words.NOTHING_YET)
    _graph(graphs.dealt(choice.partition), None)


def result(choice: Choice, found: LiveDeletion) -> None:
    """The sentence first, then what it is read from."""
    before, after = found.before, found.after
    shards, trained = len(before.networks), len(after.trained)
    st.subheader(words.asked(choice.request.describe(), choice.partition, choice.kind))
    st.markdown(words.takeaway(shards, trained, found.seconds, found.accuracy))
    st.markdown(words.exactness(found.exact, choice.repartition, choice.partition))
    left, right = st.columns([3, 2])
    with left:
        _graph(before.shard, found.deletion)
    with right:
        st.markdown("**The shards, and which learn again**")
        said = words.trained_again(shards, trained)
        draw(charts.shards(before.sizes(), after.sizes(), after.trained, said), "graphs-shards")
        st.caption(f"{said} A thin line: how many nodes a shard had before.")
    _numbers(found)
    try:
        st.markdown(words.on_citations(graphs.measured()))
    except LabError as error:
        errors.say(error)


def _graph(shard: NDArray[np.int64], deletion: Deletion | None) -> None:
    """shard: int64 (n,), of each training node. deletion: what is marked."""
    whole = graphs.dataset().training_graph
    by = st.segmented_control(
        "Colours", ["shard", "digit"], default="shard", required=True, key="graphs-colours"
    )
    groups = [f"{by} {group}" for group in (whole.labels if by == "digit" else shard + 1)]
    first, second = whole.edges
    gone, near = np.zeros((2, len(whole)), bool)
    cut, said = whole.edges[:, :0], ""
    if deletion:
        gone = np.isin(whole.nodes, deletion.judged)
        if deletion.part == "edges":
            cut = whole.positions(deletion.edges)
        else:
            cut = whole.edges[:, gone[first] | gone[second]]
            near[cut.ravel()] = True
            near &= ~gone
        said = words.forgotten(deletion.part, int(gone.sum()), cut.shape[1], int(near.sum()))
    within = whole.edges[:, shard[first] == shard[second]]
    chart = charts.drawn(
        graphs.positions(), groups, within, gone, near, cut, by or "shard",
        f"The graph of {len(whole):,} digits. {said}",
    )  # fmt: skip
    draw(chart, "graphs-drawn")
    st.caption(f"{said} {words.drawing(1 - within.shape[1] / whole.edges.shape[1])}".strip())


def _numbers(found: LiveDeletion) -> None:
    names = list(LABELS)
    table(
        {
            "model": list(LABELS.values()),
            "right on new digits": [found.accuracy[name].value for name in names],
            "95 % interval": [
                f"{100 * found.accuracy[name].low:.1f} to {100 * found.accuracy[name].high:.1f} %"
                for name in names
            ],
            "right on what is forgotten": [found.known[name].value for name in names],
            "seconds": ["", *(f"{found.seconds[name]:.2f}" for name in ("deletion", "retraining"))],
        },
        "Accuracy and time",
        percents=("right on new digits", "right on what is forgotten"),
    )
    st.caption(
        "Accuracy on digits that no network was trained on. The verdict, with its attacks and the "
        "spread of retrainings: `python -m core unlearn --model gcn --dataset digits-graph`, see "
        "README."
    )
