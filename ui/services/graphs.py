"""The built-in graph, where it is drawn, and live deletions in it, one at a time."""

from __future__ import annotations

import json
import threading
from typing import Any

import numpy as np
import streamlit as st

from core.errors import LabError
from core.graphs.data.digits import digits_graph
from core.graphs.data.graph import GraphDataset
from core.graphs.layout import layout
from core.graphs.live import LiveDeletion, delete, prepare
from core.graphs.methods.graph_eraser import GraphEraser
from core.graphs.recipe import GraphRecipe, kind_named
from core.graphs.requests import GraphRequest
from ui.services import shipped


def dataset() -> GraphDataset:
    """scikit-learn's digits, each joined to its nearest others."""
    return digits_graph()


@st.cache_resource(show_spinner=False)
def positions() -> np.ndarray[Any, np.dtype[np.float64]]:
    """float64 (n, 2): of the training nodes."""
    return layout(dataset().training_graph)


def ready(kind: str, partition: str) -> int:
    """Trains the shards, if they were not yet; how many there are."""
    with _one_at_a_time():
        return len(prepare(dataset(), *_settings(kind, partition, False)).networks)


@st.cache_resource(show_spinner=False, max_entries=20)
def deleted(kind: str, partition: str, repartition: bool, request: str) -> LiveDeletion:
    """request: JSON. Raises LabError."""
    asked = GraphRequest.from_dict(json.loads(request))
    with _one_at_a_time():
        return delete(dataset(), *_settings(kind, partition, repartition), asked)


def measured() -> dict[str, Any] | None:
    """What the benchmark found on citation graphs; None where it did not run."""
    try:
        found: dict[str, Any] = json.loads(
            (shipped.SHIPPED / "graphs.json").read_text(encoding="utf-8")
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise LabError(
            "The measurements of graphs cannot be read.", "Run python -m benchmarks.graphs again."
        ) from error
    return found


def _settings(kind: str, partition: str, repartition: bool) -> tuple[GraphRecipe, GraphEraser]:
    eraser = GraphEraser(partition=partition, aggregation="lbaggr", repartition=repartition)
    return GraphRecipe(kind_named(kind)), eraser


@st.cache_resource(show_spinner=False)
def _one_at_a_time() -> threading.Lock:
    return threading.Lock()
