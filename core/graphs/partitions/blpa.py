"""BLPA: balanced label propagation (Chen et al., CCS 2022, arXiv 2103.14991, algorithm 1).

Each node wishes to be where most of its neighbours are; the strongest wishes come first, and no
shard takes more than its cap. A node whose wishes are all full, or that has no neighbour, stays
where it is while there is room, and else goes where there is most: the cap holds for it too.
"""

from __future__ import annotations

import numpy as np

from core.graphs.data.graph import Graph, Ids
from core.graphs.partitions.at_random import at_random
from core.graphs.partitions.partition import Partition, cap_of, in_order

ROUNDS = 30


def blpa(graph: Graph, ever: Ids, shards: int, seed: int) -> Ids:
    """Of all rounds the one that cut the fewest edges."""
    draw = np.random.default_rng((seed, 1))
    shard = at_random(graph, graph.nodes, shards, seed)
    first, second = np.concatenate([graph.edges, graph.edges[::-1]], axis=1)
    best, fewest = shard, _cut(graph, shard)
    for _ in range(ROUNDS):
        neighbours = np.zeros((len(graph), shards), np.int64)
        np.add.at(neighbours, (first, shard[second]), 1)
        moved = _granted(neighbours, shard, shards, draw)
        if np.array_equal(moved, shard):
            break
        shard = moved
        if (cut := _cut(graph, shard)) < fewest:
            best, fewest = shard, cut
    return in_order(best, shards)


def _granted(neighbours: Ids, shard: Ids, shards: int, draw: np.random.Generator) -> Ids:
    """Where each node goes. neighbours: int64 (n, shards), how many it has in each."""
    nodes, wished = np.nonzero(neighbours)
    counts = neighbours[nodes, wished]
    stays = wished == shard[nodes]  # of two equal wishes the one to stay comes first
    order = np.lexsort((draw.random(len(nodes)), ~stays, -counts))
    room = np.full(shards, cap_of(len(shard), shards))
    given = np.full(len(shard), -1, np.int64)
    for node, wish in zip(nodes[order].tolist(), wished[order].tolist(), strict=True):
        if given[node] < 0 and room[wish]:
            given[node] = wish
            room[wish] -= 1
    for node in np.flatnonzero(given < 0).tolist():
        target = int(shard[node]) if room[shard[node]] else int(room.argmax())
        given[node] = target
        room[target] -= 1
    return given


def _cut(graph: Graph, shard: Ids) -> int:
    """Edges between two shards."""
    return int((shard[graph.edges[0]] != shard[graph.edges[1]]).sum())


BLPA = Partition(
    "blpa",
    "BLPA",
    "Nodes join the shard of most of their neighbours, strongest wish first, until it is full.",
    "Chen et al., CCS 2022, arXiv 2103.14991",
    frozenset({"nodes", "edges"}),
    blpa,
)
