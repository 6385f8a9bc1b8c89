"""The built-in graph, where it is drawn, and live deletions in it, one at a time."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st

from core.errors import LabError
from core.graphs.data.digits import digits_graph
from core.graphs.data.graph import GraphDataset
from core.graphs.layout import layout
from core.graphs.live import LiveDeletion, delete, prepare
from core.graphs.methods.graph_eraser import GraphEraser
from core.graphs.partitions import partition_named
from core.graphs.recipe import GraphRecipe, kind_named
from core.graphs.requests import GraphRequest
from core.graphs.run import GraphPlan, GraphRun, unlearn
from core.unlearners.base import Step
from ui.services import shipped

SHARDS = 10
MOST_KEPT = 20
"""Deletions, and verdicts on them, that are kept in memory."""


def dataset() -> GraphDataset:
    """scikit-learn's digits, each joined to its nearest others."""
    return digits_graph()


@st.cache_resource(show_spinner=False)
def positions() -> np.ndarray[Any, np.dtype[np.float64]]:
    """float64 (n, 2): of the training nodes."""
    return layout(dataset().training_graph)


@st.cache_data(show_spinner=False)
def dealt(partition: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    """int64 (n,): the shard of each training node."""
    graph = dataset().training_graph
    return partition_named(partition).split(graph, graph.nodes, SHARDS, 0)


def ready(kind: str, partition: str) -> None:
    """Trains the shards, if they were not yet."""
    with _one_at_a_time():
        prepare(dataset(), GraphRecipe(kind_named(kind)), _eraser(partition, False))


def deleted(kind: str, partition: str, repartition: bool, request: GraphRequest) -> LiveDeletion:
    """From memory where it was asked before. Raises LabError."""
    text = json.dumps(request.to_dict(), sort_keys=True)
    return _deleted(kind, partition, repartition, text)


@st.cache_resource(show_spinner=False, max_entries=MOST_KEPT)
def _deleted(kind: str, partition: str, repartition: bool, request: str) -> LiveDeletion:
    asked = GraphRequest.from_dict(json.loads(request))
    recipe, eraser = GraphRecipe(kind_named(kind)), _eraser(partition, repartition)
    with _one_at_a_time():
        return delete(dataset(), recipe, eraser, asked)


def judged(plan: GraphPlan) -> GraphRun | None:
    """The verdict on a deletion, where it was asked for before."""
    return _judged().get(_key(plan))


def judge(plan: GraphPlan, tick: Callable[[str, Step], None]) -> None:
    """The same deletion with its attacks, the retrained ideal and the spread of retrainings. tick:
    told of each step. Raises LabError."""
    with _one_at_a_time():
        for item in unlearn(plan, dataset()):
            if not isinstance(item, GraphRun):
                tick(*item)
                continue
            kept = _judged()
            kept[_key(plan)] = item
            while len(kept) > MOST_KEPT:
                kept.pop(next(iter(kept)), None)


@st.cache_resource(show_spinner=False)
def _judged() -> dict[str, GraphRun]:
    return {}


def _key(plan: GraphPlan) -> str:
    return json.dumps([plan.to_dict(), dict(plan.settings)], sort_keys=True)


def measured() -> dict[str, Any] | None:
    """What the benchmark found on citation graphs; None where it did not run. Raises LabError."""
    try:
        text = (shipped.SHIPPED / "graphs.json").read_text(encoding="utf-8")
        found: dict[str, Any] = json.loads(text)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise LabError(
            "The measurements of graphs cannot be read.", "Run python -m benchmarks.graphs again."
        ) from error
    return found


def _eraser(partition: str, repartition: bool) -> GraphEraser:
    return GraphEraser(partition=partition, shards=SHARDS, repartition=repartition)


@st.cache_resource(show_spinner=False)
def _one_at_a_time() -> threading.Lock:
    return threading.Lock()
