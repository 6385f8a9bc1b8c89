"""A request on one data set: which nodes and edges it takes away, what is left, and the nodes that
a model is judged by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.data.splits import Split, class_matched
from core.errors import (
    BadRequest,
    EmptyForgetSet,
    EverythingForgotten,
    IndexOutOfRange,
    UnknownClass,
)
from core.graphs.data.graph import Graph, GraphDataset, Ids
from core.graphs.requests import GraphRequest

Part = Literal["nodes", "edges", "features"]
NONE: Ids = np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Deletion:
    """nodes: int64, the training nodes that go, with their edges and labels. edges: int64 (2, k),
    by the numbers of the nodes, edges that go while their nodes stay. features: the nodes whose
    rows become zeros. All ascending; one of the three is not empty.
    """

    nodes: Ids
    edges: Ids
    features: Ids

    @property
    def part(self) -> Part:
        """What it takes away."""
        return "nodes" if len(self.nodes) else "edges" if self.edges.size else "features"

    @property
    def judged(self) -> Ids:
        """The training nodes that show whether it is forgotten: those that go or lose their
        features, and the ends of the edges that go."""
        return np.unique(np.concatenate([self.nodes, self.edges.ravel(), self.features]))

    def left_of(self, graph: Graph) -> Graph:
        """A graph without what goes."""
        return (
            graph.without_features(self.features)
            .without_edges(self.edges)
            .without_nodes(self.nodes)
        )


def deletion_of(dataset: GraphDataset, request: GraphRequest) -> Deletion:
    """Raises EmptyForgetSet, EverythingForgotten, IndexOutOfRange, UnknownClass or BadRequest."""
    if request.kind == "edges":
        deletion = Deletion(NONE, _edges(dataset, request), NONE)
    else:
        nodes = np.sort(_nodes(dataset, request))
        gone, erased = (NONE, nodes) if request.kind == "features" else (nodes, NONE)
        deletion = Deletion(gone, NONE.reshape(2, 0), erased)
    if not len(deletion.judged):
        raise EmptyForgetSet("Nothing is forgotten by this request.", "Choose more.")
    left = np.setdiff1d(dataset.train, deletion.nodes)
    if len(left) < len(dataset.class_names):
        raise EverythingForgotten(
            f"This leaves {len(left):,} of {len(dataset.train):,} training nodes.",
            "Leave some for the model to keep.",
        )
    return deletion


def split_of(dataset: GraphDataset, request: GraphRequest, deletion: Deletion) -> Split:
    """The sets that a model is judged by, as positions in `dataset.train` and `dataset.test`:
    the nodes of `Deletion.judged` are to be forgotten. Those that a property chose (a class, by
    hand, by their neighbours) stand beside test nodes of the same classes."""
    labels = dataset.graph.labels[dataset.train]
    test_labels = dataset.graph.labels[dataset.test]
    forget = np.searchsorted(dataset.train, deletion.judged)
    retain = np.setdiff1d(np.arange(len(dataset.train)), forget)
    kept = labels[~np.isin(dataset.train, deletion.nodes)]
    return Split(
        forget=forget,
        retain=retain,
        test=np.arange(len(dataset.test)),
        test_class_matched=class_matched(labels[forget], test_labels, request.seed),
        test_retained=np.flatnonzero(np.isin(test_labels, kept)),
        by_class=request.kind in ("class", "indices", "best-connected"),
        whole_classes=tuple(np.setdiff1d(labels[forget], kept).tolist()),
    )


def _nodes(dataset: GraphDataset, request: GraphRequest) -> Ids:
    train, graph = dataset.train, dataset.training_graph
    if request.indices:
        chosen = np.array(request.indices, np.int64)
        for node in chosen[~np.isin(chosen, train)]:
            if 0 <= node < len(dataset.graph):
                raise BadRequest(f"Node {node} was not trained on, so there is nothing to forget.")
            raise IndexOutOfRange(
                f"There is no node {node}.", f"Nodes run from 0 to {len(dataset.graph) - 1:,}."
            )
        return chosen
    if request.kind == "class":
        if request.name not in dataset.class_names:
            raise UnknownClass(
                f"There is no class {request.name!r}.",
                f"The classes are {', '.join(dataset.class_names)}.",
            )
        return train[np.flatnonzero(graph.labels == dataset.class_names.index(request.name))]
    count = _count(request, len(train), "training nodes")
    if request.kind == "best-connected":
        return train[np.argsort(-graph.degrees, kind="stable")[:count]]
    return np.random.default_rng(request.seed).permutation(train)[:count]


def _edges(dataset: GraphDataset, request: GraphRequest) -> Ids:
    edges = dataset.training_graph.ends()
    if not request.pairs:
        count = _count(request, edges.shape[1], "edges between training nodes")
        drawn = np.random.default_rng(request.seed).permutation(edges.shape[1])[:count]
        return edges[:, np.sort(drawn)]
    known = set(map(tuple, edges.T.tolist()))
    for first, second in request.pairs:
        if (first, second) not in known:
            raise IndexOutOfRange(
                f"No edge joins the training nodes {first} and {second}.",
                _joined_to(first, edges),
            )
    return np.array(request.pairs, np.int64).T


def _joined_to(node: int, edges: Ids) -> str:
    near = np.concatenate([edges[1, edges[0] == node], edges[0, edges[1] == node]])
    if not len(near):
        return f"No training node is joined to {node}."
    return f"{node} is joined to {', '.join(map(str, np.sort(near)[:20].tolist()))}."


def _count(request: GraphRequest, most: int, what: str) -> int:
    count = request.count if request.fraction is None else round(request.fraction * most)
    assert count is not None
    if count > most:
        raise BadRequest(f"{count:,} are asked for, but there are only {most:,} {what}.")
    return count
