"""A model of a graph, asked about every node: its evidence, and the numbers read from it.

Whoever holds a deleted node asks about it with its edges, as it was; all other nodes are asked
about on the graph that is left. The model before, after and the ideal are asked the same.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from core.data.splits import Split, drawn
from core.evaluation import SAMPLED, measure, outcome_of
from core.graphs.data.graph import Graph, GraphDataset
from core.graphs.deletion import Deletion, split_of
from core.graphs.methods.base import Model
from core.graphs.metrics import MEASURED
from core.graphs.networks import GraphNetwork
from core.graphs.requests import GraphRequest
from core.metrics.evidence import Evidence, Outcome, Sample, Samples
from core.metrics.measures import Evaluation


@dataclass(frozen=True, eq=False)
class Questions:
    """What every model is asked about one request."""

    dataset: GraphDataset
    request: GraphRequest
    deletion: Deletion

    @cached_property
    def split(self) -> Split:
        """Positions in the training and in the test nodes."""
        return split_of(self.dataset, self.request, self.deletion)

    @cached_property
    def left(self) -> Graph:
        """The whole graph, test nodes too, without what is forgotten."""
        return self.deletion.left_of(self.dataset.graph)

    def evidence(self, model: Model) -> Evidence:
        """What it makes of every training and every test node; of a single network what is inside
        as well."""
        answers = self._each(model.logits(self.dataset.graph), model.logits(self.left))
        labels, train, test = self.dataset.graph.labels, self.dataset.train, self.dataset.test
        return Evidence(
            _outcome(answers[train], labels[train]),
            _outcome(answers[test], labels[test]),
            labels[train],
            labels[test],
            self.split,
            self._samples(model) if isinstance(model, GraphNetwork) else None,
        )

    def evaluate(
        self, model: Model, signals: bool = False, only: Collection[str] = ()
    ) -> Evaluation:
        """Every number of `MEASURED` that can be measured; the attack on test nodes of the same
        classes only where these are the fair ones, for it takes a second. signals: those alone that
        a verdict reads. only: those of these names alone."""
        chosen = [metric for metric in MEASURED.values() if metric.signal or not signals]
        if only:
            chosen = [MEASURED[name] for name in only]
        elif not self.split.by_class:
            chosen = [metric for metric in chosen if metric.name != "mia_class_matched"]
        return measure(self.evidence(model), chosen)

    def _each(self, whole: torch.Tensor, left: torch.Tensor) -> NDArray[np.float32]:
        """One row a node of the whole graph: of a judged node from the first, else the second."""
        found = whole.numpy().copy()
        kept = np.setdiff1d(self.left.nodes, self.deletion.judged)
        found[kept] = left.numpy()[self.left.positions(kept)]
        return found

    @torch.no_grad()
    def _samples(self, network: GraphNetwork) -> Samples | None:
        if network.recipe.kind == "sgc":  # it has no layer inside
            return None
        inside = self._each(network.hidden(self.dataset.graph), network.hidden(self.left))
        train, test, split = self.dataset.train, self.dataset.test, self.split
        sets = {
            "forget": train[split.forget],
            "retain": train[split.retain],
            "test": test[split.test_fair],
            "test_retained": test[split.test_retained],
        }
        chosen = {name: drawn(nodes, SAMPLED[name]) for name, nodes in sets.items()}
        labels = self.dataset.graph.labels
        return {name: Sample(labels[nodes], inside[nodes]) for name, nodes in chosen.items()}


def _outcome(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> Outcome:
    return outcome_of(torch.from_numpy(logits), torch.from_numpy(labels))
