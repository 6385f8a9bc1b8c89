"""GraphEraser's ensemble: a network for each shard of the training graph, and their answer together
(Chen et al., CCS 2022, arXiv 2103.14991).

A shard is a set of training nodes with the edges among them; edges between shards are lost to the
training. A network's name is a digest of all that made it: its nodes with their features, labels
and edges, the recipe, the seed and its number. So unlearning is training with what is left, where a
network whose name comes up again is taken as it is: a shard that is not hit stays bit for bit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from core.graphs.aggregation import (
    Aggregation,
    learned_weights,
    majority,
    mean,
    weighted,
)
from core.graphs.data.graph import Graph, Ids
from core.graphs.networks import GraphNetwork
from core.graphs.recipe import GraphRecipe
from core.graphs.training import Training, seed_for, train
from core.unlearners.base import Step

WEIGHING = "learning how to weigh the shards"
"""The phase of LBAggr's own step."""
AGGREGATED_ON = 1_000
"""The weights of an aggregation are learned on at most so many nodes of those to keep."""


@dataclass(frozen=True, eq=False)
class Ensemble:
    """nodes: int64 (n,), the training nodes. shard: int64 (n,), where each is. networks, keys: of
    each shard that has nodes, by its number. weights: float32 (networks,), of LBAggr; None of
    another aggregation. trained: the shards that were not taken from before.
    """

    nodes: Ids
    shard: Ids
    networks: Mapping[int, GraphNetwork]
    keys: Mapping[int, str]
    aggregation: Aggregation
    weights: Tensor | None = None
    trained: tuple[int, ...] = ()

    def each(self, graph: Graph) -> Tensor:
        """float32 (networks, n, classes): what each makes of every node of any graph."""
        return torch.stack([network.logits(graph) for network in self.networks.values()])

    def logits(self, graph: Graph) -> Tensor:
        """float32 (n, classes): their answer together."""
        logits = self.each(graph)
        if self.weights is not None:
            return weighted(logits, self.weights)
        return (mean if self.aggregation == "mean" else majority)(logits)

    def sizes(self) -> list[int]:
        """How many nodes each shard has, by its number."""
        return [int(size) for size in np.bincount(self.shard)]

    def shards_since(self, before: Ensemble) -> dict[str, list[int]]:
        """JSON-ready: how many nodes each shard had "before" and has "after", and the numbers of
        those that were "retrained"."""
        sizes = {"before": before.sizes(), "after": self.sizes()}
        return {**sizes, "retrained": list(self.trained)}

    def known(self) -> dict[str, GraphNetwork]:
        """Its networks by name."""
        return {self.keys[number]: network for number, network in self.networks.items()}


def train_ensemble(
    graph: Graph,
    shard: Ids,
    classes: int,
    recipe: GraphRecipe,
    seed: int,
    aggregation: Aggregation,
    known: Mapping[str, GraphNetwork] | None = None,
) -> Training[Ensemble]:
    """Trains a network for every shard whose name is not among `known`, then the aggregation anew,
    on nodes of `graph` alone. graph: the training nodes. shard: int64 (n,), where each is."""
    known = known or {}
    parts = {int(s): graph.induced(graph.nodes[shard == s]) for s in np.unique(shard)}
    keys = {number: _name(part, recipe, seed, number) for number, part in parts.items()}
    new = [number for number in parts if keys[number] not in known]
    networks = {}
    for number, part in parts.items():
        if number not in new:
            networks[number] = known[keys[number]]
            continue
        before = recipe.epochs * new.index(number)
        phase = f"training shard {number + 1}"
        steps = train(part, classes, recipe, seed_for(seed, "shard", number), phase)
        while True:
            try:
                step = next(steps)
            except StopIteration as ended:
                networks[number] = ended.value
                break
            yield replace(step, done=before + step.done, total=recipe.epochs * len(new))
    ensemble = Ensemble(graph.nodes, shard, networks, keys, aggregation, trained=tuple(new))
    if aggregation == "lbaggr":
        sample = aggregated_on(graph, seed)
        logits = ensemble.each(graph)[:, torch.from_numpy(sample)]
        labels = torch.from_numpy(graph.labels[sample])
        ensemble = replace(ensemble, weights=learned_weights(logits, labels))
        total = max(1, recipe.epochs * len(new))
        yield Step(total, total, None, WEIGHING)
    return ensemble


def aggregated_on(graph: Graph, seed: int) -> Ids:
    """int64, positions of at most `AGGREGATED_ON` nodes: those with the smallest of random numbers
    that belong to a node whatever other nodes there are, so that a deleted one leaves no trace in
    the choice of the others."""
    drawn = np.random.default_rng((seed, 3)).random(int(graph.nodes.max()) + 1)[graph.nodes]
    return np.sort(np.argsort(drawn, kind="stable")[:AGGREGATED_ON])


def _name(part: Graph, recipe: GraphRecipe, seed: int, number: int) -> str:
    made_by = json.dumps([recipe.to_dict(), seed, number], sort_keys=True)
    return hashlib.sha256(made_by.encode() + part.digest()).hexdigest()[:16]
