"""The one training loop of graph networks: Adam, each step on the whole graph."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F

from core.graphs.data.graph import Graph
from core.graphs.networks import GraphNetwork
from core.graphs.recipe import GraphRecipe
from core.unlearners.base import Step

Result = TypeVar("Result")
Training = Generator[Step, None, Result]
"""Yields after each step, returns what was trained."""


def train(
    graph: Graph, classes: int, recipe: GraphRecipe, seed: int, phase: str = "training"
) -> Training[GraphNetwork]:
    """A new network, trained on all nodes of `graph`. The same seed, graph, machine, versions and
    thread count give the same weights, bit for bit.

    What no node of `graph` has (a word, say) has weights of zero: there is nothing to learn of it.
    """
    weights = torch.Generator().manual_seed(seed_for(seed, "weights"))
    draw = torch.Generator().manual_seed(seed_for(seed, "dropout"))
    there = np.unique(graph.features.indices)
    read = replace(graph, features=graph.features[:, there].tocsr())
    network = GraphNetwork(recipe, len(there), classes, weights)
    labels = torch.from_numpy(graph.labels)
    optimiser = torch.optim.Adam(
        network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay, fused=False
    )
    for done in range(1, recipe.epochs + 1):
        optimiser.zero_grad(set_to_none=True)
        loss = F.cross_entropy(network(read, draw), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        yield Step(done, recipe.epochs, float(loss.detach()), phase)
    network.widen(torch.from_numpy(there.astype(np.int64)), graph.features.shape[1])
    return network.eval()


def seed_for(seed: int, *purpose: object) -> int:
    """A seed of its own for each purpose."""
    key = "/".join(map(str, (seed, *purpose))).encode()
    return int.from_bytes(hashlib.sha256(key).digest()[:8], "little") >> 1
