"""The methods for images that descend a loss, on nodes: the same equations, where a batch is of
nodes and an image is the number of one."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from core.data.images import Images
from core.graphs.data.graph import Graph, Ids
from core.graphs.methods.base import GraphMethod, Task, network_of
from core.graphs.networks import GraphNetwork
from core.graphs.training import Training, seed_for
from core.models.classifier import Classifier
from core.models.precision import float32_only
from core.models.recipe import Recipe
from core.unlearners import make
from core.unlearners.base import Unlearner, UnlearningData


class Asked(Classifier):
    """A network that is asked for nodes by their number, in batches as if they were images: nodes
    to forget on the graph that they stand in, all others on what is left of it."""

    def __init__(
        self, network: GraphNetwork, whole: Graph, left: Graph, forget: Ids, draw: torch.Generator
    ) -> None:
        super().__init__()
        self.network, self.whole, self.left, self.draw = network, whole, left, draw
        self._forget = torch.from_numpy(forget)

    def forward(self, nodes: Tensor) -> Tensor:
        """int64 (n,), the numbers of nodes, to logits (n, classes)."""
        to_forget = torch.isin(nodes, self._forget)
        parts = []
        for graph, asked in ((self.whole, to_forget), (self.left, ~to_forget)):
            chosen = nodes[asked]
            if len(chosen):
                logits = self.network(graph, self.draw if self.training else None)
                parts.append((asked, logits[torch.from_numpy(graph.positions(chosen.numpy()))]))
        found = torch.zeros(len(nodes), parts[0][1].shape[1])
        for asked, logits in parts:
            found = found.index_put((asked.nonzero()[:, 0],), logits)
        return found

    def stages(self) -> list[nn.Module]:
        return [self.network.first, self.network.second]


@dataclass(frozen=True)
class ByImages(GraphMethod):
    """A method for images with settings of its own for graphs, whose inputs are small numbers."""

    def method(self) -> Unlearner:
        """The method for images, with these settings."""
        raise NotImplementedError

    def __post_init__(self) -> None:
        self.method()  # it knows its ranges

    def forget(self, model: Any, task: Task) -> Training[GraphNetwork]:
        network = copy.deepcopy(network_of(model))
        method, whole, left = self.method(), task.dataset.training_graph, task.left
        judged = task.deletion.judged
        draw = torch.Generator().manual_seed(seed_for(task.seed, "dropout", self.name))
        asked = Asked(network, whole, left, judged, draw)
        nodes = torch.arange(len(task.dataset.graph))
        labels = torch.from_numpy(task.dataset.graph.labels)

        def part(chosen: Ids) -> Images:
            return Images(nodes, labels, torch.from_numpy(chosen))

        kept = part(np.setdiff1d(left.nodes, judged))
        parts = {"retain": kept, "forget": part(judged)}
        data = UnlearningData(
            {need: parts[need] for need in method.needs if need in parts}, task.recipe.kind,
            task.classes, Recipe(),
        )  # fmt: skip
        generator = torch.Generator().manual_seed(seed_for(task.seed, self.name))
        with float32_only():
            yield from method.run(asked, data, generator)
        return network.eval()


@dataclass(frozen=True)
class FineTune(ByImages):
    """theta <- theta - eta grad CE(R), on what is left; see `core.unlearners.fine_tune`."""

    name, label = "fine_tune", "Fine-tune"
    sentence = "Goes on training on the nodes that are left, and lets the others fade."
    paper = "Course report, CS 726; NeurIPS 2023 unlearning challenge, starting kit"

    epochs: float = 10.0
    learning_rate: float = 0.1
    momentum: float = 0.9
    batch_size: int = 1024

    def method(self) -> Unlearner:
        return make("fine_tune", self.settings())


@dataclass(frozen=True)
class GradientAscent(ByImages):
    """theta <- theta + eta grad CE(F), on the graph as it was; see `core.unlearners.neg_grad`."""

    name, label = "gradient_ascent", "Gradient ascent"
    sentence = "Trains backwards on the nodes to forget: quick, and easily damages the rest."
    paper = "Golatkar et al., CVPR 2020, arXiv 1911.04933; Thudi et al., EuroS&P 2022"

    epochs: float = 10.0
    learning_rate: float = 0.03
    momentum: float = 0.0
    batch_size: int = 1024

    def method(self) -> Unlearner:
        return make("neg_grad", self.settings())
