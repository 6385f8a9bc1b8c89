"""A small graph that trains in a tenth of a second: three classes, some nodes without an edge."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from core.graphs.data.graph import Graph, GraphDataset, dataset_of, undirected
from core.graphs.recipe import GraphRecipe

SHORT = GraphRecipe(hidden=8, epochs=15)


def graph(nodes: int = 120, seed: int = 0) -> Graph:
    """Half of the edges run within a class; the last ten nodes have none."""
    draw = np.random.default_rng(seed)
    labels = np.arange(nodes) % 3
    first = draw.integers(0, nodes - 10, 3 * nodes)
    within = draw.random(3 * nodes) < 0.5
    second = draw.integers(0, nodes - 10, 3 * nodes)
    second = np.where(within, second - second % 3 + labels[first], second)
    second = np.minimum(second, nodes - 11)
    words = draw.random((nodes, 30)) < 0.1
    words[np.arange(nodes), 10 * labels + draw.integers(0, 10, nodes)] = True
    features = csr_array(words.astype(np.float32))
    return Graph(np.arange(nodes), features, labels, undirected(first, second))


def dataset(nodes: int = 120) -> GraphDataset:
    return dataset_of("tiny", graph(nodes), ("red", "green", "blue"), "Made for tests.")
