"""What a graph in memory is, and the graphs that are left of it when something is taken away."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Ids = NDArray[np.int64]
NO_LABEL = -1


@dataclass(frozen=True, eq=False)
class Graph:
    """Some nodes of a data set with the edges among them.

    nodes: int64 (n,), their numbers in the data set, ascending. features: float32 (n, d), a SciPy
    CSR matrix; a row of zeros where a node has none. labels: int64 (n,), `NO_LABEL` where it is
    not known. edges: int64 (2, e), positions 0 .. n-1, the smaller first, each undirected edge
    once, in ascending order, no node to itself. Never write to any of them.
    """

    nodes: Ids
    features: csr_array
    labels: Ids
    edges: Ids

    def __len__(self) -> int:
        return len(self.nodes)

    def positions(self, nodes: Ids) -> Ids:
        """Where these nodes stand, int64 of the same shape. Raises KeyError for one that is not
        there."""
        found = np.searchsorted(self.nodes, nodes)
        there = found < len(self)
        if not there.all() or not np.array_equal(self.nodes[found], nodes):
            raise KeyError("a node that is not in this graph")
        return found

    def ends(self) -> Ids:
        """The edges by the numbers of their nodes, int64 (2, e)."""
        return self.nodes[self.edges]

    def induced(self, nodes: Ids) -> Graph:
        """Those of these nodes that it has, with the edges among them."""
        kept = np.flatnonzero(np.isin(self.nodes, nodes))
        moved = np.full(len(self), -1, np.int64)
        moved[kept] = np.arange(len(kept))
        ends = moved[self.edges]
        return Graph(
            self.nodes[kept],
            self.features[kept],
            self.labels[kept],
            ends[:, (ends >= 0).all(axis=0)],
        )

    def without_nodes(self, nodes: Ids) -> Graph:
        """What is left without these nodes and their edges."""
        return self.induced(np.setdiff1d(self.nodes, nodes))

    def without_edges(self, edges: Ids) -> Graph:
        """The same nodes without these edges, (2, k) by the numbers of nodes, in either order."""
        if not edges.size:
            return self
        gone = self._named(np.sort(edges, axis=0))
        return replace(self, edges=self.edges[:, ~np.isin(self._named(self.ends()), gone)])

    def without_features(self, nodes: Ids) -> Graph:
        """The same, with zeros for all that is said of these nodes but their edges and labels."""
        from scipy.sparse import diags_array

        gone = np.isin(self.nodes, nodes)
        if not gone.any():
            return self
        erased = (diags_array((~gone).astype(np.float32)) @ self.features).tocsr()
        erased.eliminate_zeros()
        erased.sort_indices()
        return replace(self, features=erased)

    @cached_property
    def degrees(self) -> Ids:
        """int64 (n,): the neighbours of each node."""
        return np.bincount(self.edges.ravel(), minlength=len(self))

    def digest(self) -> bytes:
        """sha256 over everything in it, whatever graph it was cut from."""
        digest = hashlib.sha256()
        rows = self.features
        indices, indptr = rows.indices.astype("<i8"), rows.indptr.astype("<i8")
        arrays: tuple[NDArray[Any], ...]
        arrays = (self.nodes, self.labels, self.edges, indices, indptr, rows.data.astype("<f4"))
        for part in arrays:
            digest.update(len(part).to_bytes(8, "little") + np.ascontiguousarray(part).tobytes())
        return digest.digest()

    @staticmethod
    def _named(edges: Ids) -> Ids:
        """One number for each edge between nodes of these numbers."""
        named: Ids = (edges[0] << 32) | edges[1]
        return named


def undirected(first: Ids, second: Ids) -> Ids:
    """Edges as `Graph` has them, from any pairs of nodes, repeats and loops among them."""
    pairs = np.sort(np.stack([first, second]), axis=0)
    kept: Ids = np.unique(pairs[:, pairs[0] != pairs[1]], axis=1)
    return kept


@dataclass(frozen=True, eq=False)
class GraphDataset:
    """A graph with its two halves. Node i of the data set stands at position i of `graph`.

    train, test: int64, numbers of nodes, ascending; nodes without a label are in neither.
    fingerprint: sha256 of the graph. source: one plain sentence: what this is.
    """

    name: str
    graph: Graph
    train: Ids
    test: Ids
    class_names: tuple[str, ...]
    fingerprint: str
    source: str

    @cached_property
    def training_graph(self) -> Graph:
        """The nodes to learn from, with the edges among them: a test node is never seen, neither
        its features nor its edges."""
        return self.graph.induced(self.train)


TEST_SHARE = 0.1
"""Of the nodes with a label, those that are not trained on: a tenth, as in Chen et al. 2022."""


def dataset_of(
    name: str, graph: Graph, class_names: tuple[str, ...], source: str, seed: int = 0
) -> GraphDataset:
    """Deals the nodes with a label into the two halves, each class alike. seed: of that deal."""
    from sklearn.model_selection import train_test_split

    labelled = np.flatnonzero(graph.labels != NO_LABEL)
    train, test = train_test_split(
        labelled, test_size=TEST_SHARE, random_state=seed, stratify=graph.labels[labelled]
    )
    halves = np.sort(train), np.sort(test)
    return GraphDataset(name, graph, *halves, class_names, graph.digest().hex(), source)
