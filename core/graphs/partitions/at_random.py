"""Nodes dealt at random, whatever they are: as SISA deals images."""

from __future__ import annotations

import numpy as np

from core.graphs.data.graph import Graph, Ids
from core.graphs.partitions.partition import Partition


def at_random(graph: Graph, ever: Ids, shards: int, seed: int) -> Ids:
    """Deals all nodes that there ever were, so that what is forgotten plays no part in where the
    others are."""
    order = np.random.default_rng(seed).permutation(len(ever))
    dealt = np.empty(len(ever), np.int64)
    dealt[order] = np.arange(len(ever)) % shards
    return dealt[np.searchsorted(ever, graph.nodes)]


AT_RANDOM = Partition(
    "random",
    "At random",
    "Every node is dealt to a shard by lot, and most edges are cut.",
    "Bourtoule et al., IEEE S&P 2021, arXiv 1912.03817",
    frozenset(),
    at_random,
)
