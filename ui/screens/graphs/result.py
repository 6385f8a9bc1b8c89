"""What a deletion did: the graph, its shards, and what it cost."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.errors import LabError
from core.graphs.live import LiveDeletion
from ui.charts import graph as charts
from ui.screens.graphs.choice import Choice
from ui.services import graphs
from ui.widgets import errors
from ui.widgets.figures import draw, table
from ui.wording import graphs as words

LABELS = {
    "before": "the shards, before",
    "after": "the shards, after",
    "one network": "one network, retrained",
}


def result(choice: Choice, found: LiveDeletion) -> None:
    """The sentence first, then what it is read from."""
    before, after = found.before, found.after
    trained = len(after.trained)
    st.markdown(words.takeaway(len(before.networks), trained, found.seconds, found.accuracy))
    st.markdown(words.exactness(found.exact, choice.repartition, choice.partition))
    left, right = st.columns([3, 2])
    with left:
        _graph(found)
    with right:
        st.markdown("**The shards, and which learn again**")
        said = f"{trained} of {len(before.networks)} shards are trained again."
        draw(charts.shards(before.sizes(), after.sizes(), after.trained, said), "graphs-shards")
        st.caption(f"{said} The thin lines: how many nodes a shard had before.")
    _numbers(found)
    try:
        st.markdown(words.on_citations(graphs.measured()))
    except LabError as error:
        errors.say(error)


def _graph(found: LiveDeletion) -> None:
    data, deletion = graphs.dataset(), found.deletion
    whole = data.training_graph
    by = st.segmented_control(
        "Colours", ["shards", "digits"], default="shards", required=True, key="graphs-colours"
    )
    shard = found.before.shard
    if by == "digits":
        groups = words.names(whole.labels.tolist(), "digit")
    else:
        groups = words.names((shard + 1).tolist(), "shard")
    gone = np.isin(whole.nodes, deletion.judged)
    first, second = whole.edges
    touched = gone[first] | gone[second]
    near = np.zeros(len(whole), bool)
    if deletion.part == "edges":
        cut = whole.positions(deletion.edges)
    else:
        cut = whole.edges[:, touched]
        near[cut.ravel()] = True
        near &= ~gone
    within = whole.edges[:, shard[first] == shard[second]]
    said = words.forgotten(
        len(deletion.nodes) + len(deletion.features), deletion.edges.shape[1], int(near.sum())
    )
    draw(
        charts.drawn(
            graphs.positions(), groups, within, gone, near, cut, by or "shards",
            f"The graph of {len(whole):,} digits. {said}",
        ),
        "graphs-drawn",
    )  # fmt: skip
    lost = 1 - within.shape[1] / whole.edges.shape[1]
    st.caption(
        f"{said} Digits that look alike lie together. Faint lines are edges within a shard; the "
        f"other {100 * lost:.0f} % run between shards, and no network learns from them."
    )


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
            "seconds": [None, found.seconds["deletion"], found.seconds["retraining"]],
        },
        "Accuracy and time",
        percents=("right on new digits", "right on what is forgotten"),
        formats={"seconds": "%.2f"},
    )
    st.caption(
        "Accuracy on digits that no network was trained on. The verdict, with its attacks and the "
        "spread of retrainings: `python -m core unlearn --model gcn --dataset digits-graph`, see "
        "README."
    )
