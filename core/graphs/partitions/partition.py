"""What a partition is: a way to deal nodes into shards of at most one size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.graphs.data.graph import Graph, Ids
from core.graphs.deletion import Part

Assign = Callable[[Graph, Ids, int, int], Ids]
"""Of the graph of training nodes, the numbers of all training nodes that there ever were, how many
shards and the seed: int64 (n,), the shard of each node of the graph, 0 .. shards - 1."""


@dataclass(frozen=True)
class Partition:
    """name, label: its key, and what a screen calls it. sentence: for a visitor. paper: the source.
    reads: what it looks at; a deletion of that may leave a trace in where the others are, until
    they are dealt anew. split: see `Assign`.
    """

    name: str
    label: str
    sentence: str
    paper: str
    reads: frozenset[Part]
    split: Assign


def cap_of(nodes: int, shards: int) -> int:
    """The most nodes that a shard may have: as many as fit, and no more."""
    return -(-nodes // shards)


def within_cap(shard: Ids, shards: int, draw: np.random.Generator) -> Ids:
    """The same assignment, but that of each shard with too many some, drawn at random, go where
    there is most room."""
    cap = cap_of(len(shard), shards)
    made = shard.copy()
    sizes = np.bincount(made, minlength=shards)
    for full in np.flatnonzero(sizes > cap):
        for node in draw.permutation(np.flatnonzero(made == full))[cap:]:
            room = int(sizes.argmin())
            made[node] = room
            sizes[room] += 1
            sizes[full] -= 1
    return made


def in_order(shard: Ids, shards: int) -> Ids:
    """The same shards, numbered by their first node: so a number depends on the nodes alone."""
    first = [np.flatnonzero(shard == s).min(initial=len(shard)) for s in range(shards)]
    number = np.empty(shards, np.int64)
    number[np.argsort(first, kind="stable")] = np.arange(shards)
    return number[shard]
