"""What a deletion did: the graph, its shards, and what it cost."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from core.errors import LabError
from core.graphs.deletion import Deletion
from core.graphs.ensemble import Ensemble
from core.graphs.live import LiveDeletion
from core.graphs.request_text import chosen_text
from core.graphs.run import GraphRun
from core.runs.run_files import to_json
from ui.charts import graph as charts
from ui.graph_links import Choice, to_params
from ui.report import numbers_table
from ui.screens.graphs import verdict
from ui.services import graphs
from ui.widgets import errors
from ui.widgets.figures import draw, table
from ui.widgets.take_home import File, of_a_view
from ui.wording import graphs as words

LABELS = {
    "before": "the shards, before",
    "after": "the shards, after",
    "one network": "one network, retrained",
}


def preview(partition: str) -> None:
    """The graph with its shards, before anything is forgotten."""
    st.markdown(words.NOTHING_YET)
    _graph(graphs.dealt(partition), None)


def result(choice: Choice, found: LiveDeletion) -> None:
    """The sentence first, then what it is read from."""
    before, after = found.before, found.after
    shards, trained = len(before.networks), len(after.trained)
    st.subheader(words.asked(choice.request.describe(), choice.partition, choice.kind))
    st.markdown(words.takeaway(shards, trained, found.seconds, found.accuracy))
    st.markdown(words.exactness(found.exact, choice.repartition, choice.partition))
    left, right = st.columns([3, 2])
    with left:
        _graph(before.shard, found.deletion, after if choice.repartition else None)
    with right:
        st.markdown("**The shards, and which learn again**")
        said = words.trained_again(shards, trained)
        draw(charts.shards(before.sizes(), after.sizes(), after.trained, said), "graphs-shards")
        st.caption(f"{said} A thin line: how many nodes a shard had before.")
    _numbers(found)
    verdict.box(found)
    _take_home(choice, found)
    try:
        st.markdown(words.on_citations(graphs.measured()))
    except LabError as error:
        errors.say(error)


def _graph(
    shard: NDArray[np.int64], deletion: Deletion | None, anew: Ensemble | None = None
) -> None:
    """shard: int64 (n,), of each training node. deletion: what is marked. anew: where the others
    were dealt to."""
    whole = graphs.dataset().training_graph
    options = ["shard", "shard afterwards", "digit"] if anew else ["shard", "digit"]
    by = st.segmented_control(
        "Colours", options, default="shard", required=True, key=f"graphs-colours-{len(options)}"
    )
    of_each = whole.labels if by == "digit" else shard + 1
    if anew and by == "shard afterwards":
        shard = np.full(len(whole), -1, np.int64)
        shard[whole.positions(anew.nodes)] = anew.shard
        of_each = shard + 1
    title = "digit" if by == "digit" else "shard"
    groups = [f"{title} {one}" if one or by == "digit" else charts.NONE for one in of_each]
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
        whole.nodes, graphs.positions(), groups, within, gone, near, cut, title,
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
    st.caption("Accuracy on digits that no network was trained on.")


def _take_home(choice: Choice, found: LiveDeletion) -> None:
    from core.runs.shell.graphs import command_of

    run = graphs.judged(found.plan)
    files: list[File] = [
        ("csv", "Numbers (CSV)", ".csv", lambda: _csv(found, run), "table"),
        ("json", "Record (JSON)", ".json", lambda: _json(found, run), "data_object"),
    ]
    if listed := chosen_text(choice.request):
        files.append(("file", "FILE of the command", ".txt", listed.encode, "list"))
    of_a_view(files, "graphs", command_of(found.plan), **to_params(choice))


def _csv(found: LiveDeletion, run: GraphRun | None) -> bytes:
    if run is not None:
        models = {"before": run.before, "after": run.after, "retrained": run.retrained}
        return numbers_table(models).to_csv(index=False).encode()
    rows = [
        {"model": name, "metric": metric, **measures[name].to_dict()}
        for metric, measures in (
            ("test_accuracy", found.accuracy),
            ("forget_accuracy", found.known),
        )
        for name in LABELS
    ]
    return pd.DataFrame(rows).to_csv(index=False).encode()


def _json(found: LiveDeletion, run: GraphRun | None) -> bytes:
    from core.runs.shell.graphs import report

    content = {"live": found.to_dict(), "run": report(run) if run is not None else None}
    return f"{to_json(content)}\n".encode()
