"""BEKM: balanced k-means on embeddings of the nodes (Chen et al., CCS 2022, arXiv 2103.14991,
algorithm 2).

The paper takes the embeddings of a trained network, which has seen every label, the deleted ones
too. Here they are the features of a node's neighbourhood, averaged twice along the edges as by a
simplified graph convolution (Wu et al. 2019), in their first principal directions: no label plays a
part, so none has to be forgotten.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.graphs.data.graph import Graph, Ids
from core.graphs.partitions.at_random import at_random
from core.graphs.partitions.partition import Partition, cap_of, in_order

DIRECTIONS, HOPS, ROUNDS = 32, 2, 30


def bekm(graph: Graph, ever: Ids, shards: int, seed: int) -> Ids:
    """The pairs of a node and a centre are taken in the order of their distance; a node goes to the
    first of its centres that has room."""
    from sklearn.cluster import kmeans_plusplus

    points = embedding(graph, seed)
    shard = at_random(graph, graph.nodes, shards, seed)
    centres, _ = kmeans_plusplus(points, min(shards, len(points)), random_state=seed % (1 << 31))
    for _ in range(ROUNDS):
        moved = _nearest(points, centres)
        if np.array_equal(moved, shard):
            break
        shard = moved
        for number in np.unique(shard):
            centres[number] = points[shard == number].mean(axis=0)
    return in_order(shard, shards)


def embedding(graph: Graph, seed: int) -> NDArray[np.float64]:
    """float64 (n, up to `DIRECTIONS`): of each node, without any label."""
    from scipy.sparse import coo_array, diags_array
    from sklearn.decomposition import TruncatedSVD

    first, second = np.concatenate([graph.edges, graph.edges[::-1]], axis=1)
    loops = np.arange(len(graph))
    rows, columns = np.concatenate([first, loops]), np.concatenate([second, loops])
    joined = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(graph), len(graph)))
    scale = diags_array(1 / np.sqrt(joined.sum(axis=1)))
    hop: Any = (scale @ joined @ scale).tocsr()
    heard = graph.features.astype(np.float64)
    for _ in range(HOPS):
        heard = hop @ heard
    directions = min(DIRECTIONS, *heard.shape)
    found: NDArray[np.float64]
    found = TruncatedSVD(directions, random_state=seed % (1 << 31)).fit_transform(heard)
    return found


def _nearest(points: NDArray[np.float64], centres: NDArray[np.float64]) -> Ids:
    distances = ((points[:, None] - centres[None]) ** 2).sum(axis=2)
    order = np.argsort(distances, axis=None, kind="stable")
    nodes, near = np.unravel_index(order, distances.shape)
    room = np.full(len(centres), cap_of(len(points), len(centres)))
    given = np.full(len(points), -1, np.int64)
    for node, centre in zip(nodes.tolist(), near.tolist(), strict=True):
        if given[node] < 0 and room[centre]:
            given[node] = centre
            room[centre] -= 1
    return given


BEKM = Partition(
    "bekm",
    "BEKM",
    "Nodes whose neighbourhoods have like features go together, into shards of one size.",
    "Chen et al., CCS 2022, arXiv 2103.14991; Wu et al., ICML 2019",
    frozenset({"nodes", "edges", "features"}),
    bekm,
)
