"""METIS: shards between which few edges run (Karypis & Kumar 1998), through pymetis."""

from __future__ import annotations

import numpy as np

from core.graphs.data.graph import Graph, Ids
from core.graphs.partitions.partition import Partition, in_order, within_cap


def metis(graph: Graph, ever: Ids, shards: int, seed: int) -> Ids:
    """The smallest cut that METIS finds; what its own tolerance leaves above the cap is moved."""
    import pymetis

    first, second = np.concatenate([graph.edges, graph.edges[::-1]], axis=1)
    order = np.lexsort((second, first))
    ends = np.concatenate([[0], np.cumsum(np.bincount(first, minlength=len(graph)))])
    options = pymetis.Options(seed=seed % (1 << 30))
    neighbours = pymetis.CSRAdjacency(ends, second[order])
    _, found = pymetis.part_graph(shards, neighbours, options=options)
    shard = within_cap(np.asarray(found, np.int64), shards, np.random.default_rng(seed))
    return in_order(shard, shards)


METIS = Partition(
    "metis",
    "METIS",
    "Cuts as few edges as it can, into shards of one size.",
    "Karypis & Kumar, SIAM J. Sci. Comput. 1998",
    frozenset({"nodes", "edges"}),
    metis,
)
