"""GIF: one step of the influence function, with what the deletion does to the neighbours (Wu et
al., WWW 2023, arXiv 2304.02835).

Taking a node away changes the loss of more than that node: its neighbours no longer hear it. So the
gradient of the change is taken of everything, J of the graph before and J' of what is left, each
the mean cross-entropy plus the weight decay that the network was trained with:

    theta <- theta - s (H' + lambda I)^-1 (grad J'(theta) - grad J(theta)),

H' the Gauss-Newton matrix of J'. On a linear network that has converged, with s = 1 and lambda = 0,
it is a step of Newton's method towards the retrained one.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from core.curvature.products import Work, flat, unflat, yielding
from core.curvature.solvers import conjugate_gradients
from core.errors import BadSetting, Diverged
from core.graphs.data.graph import Graph
from core.graphs.methods.base import GraphMethod, Task, network_of
from core.graphs.networks import GraphNetwork
from core.graphs.training import Training
from core.unlearners.base import Step


@dataclass(frozen=True)
class Gif(GraphMethod):
    """damping: lambda. iterations: of conjugate gradients, at most. strength: s."""

    name, label = "gif", "GIF"
    sentence = (
        "Computes in one step how the weights would have ended without the forgotten part, its "
        "effect on the neighbours included."
    )
    paper = "Wu et al., WWW 2023, arXiv 2304.02835"

    damping: float = 1e-3
    iterations: int = 30
    strength: float = 1.0

    def __post_init__(self) -> None:
        if self.damping < 0 or self.iterations < 1 or self.strength <= 0:
            raise BadSetting("GIF needs a damping of 0 or more, an iteration, and some strength.")

    def forget(self, model: Any, task: Task) -> Training[GraphNetwork]:
        network = copy.deepcopy(network_of(model))
        total, done = self.iterations + 1, 0

        def step() -> Step:
            nonlocal done
            done += 1
            return Step(min(done, total), total, None, "solving for the step")

        before, left = task.dataset.training_graph, task.left
        change = gradient(network, left) - gradient(network, before)
        yield step()
        work = conjugate_gradients(
            lambda v: curvature_product(network, left, v), change, self.damping, self.iterations
        )
        moved = yield from yielding(work, step)
        if not moved.isfinite().all():
            raise Diverged("GIF's step is not a number.", "More damping helps.")
        weights = list(network.parameters())
        with torch.no_grad():
            for weight, part in zip(weights, unflat(moved, weights), strict=True):
                weight.sub_(part, alpha=self.strength)
        yield Step(total, total, None, "solving for the step")
        return network


def gradient(network: GraphNetwork, graph: Graph) -> Tensor:
    """(p,): of J, without dropout."""
    weights = list(network.parameters())
    loss = F.cross_entropy(network(graph), torch.from_numpy(graph.labels))
    found = flat(torch.autograd.grad(loss, weights))
    return found + network.recipe.weight_decay * flat(weights)


def curvature_product(network: GraphNetwork, graph: Graph, vector: Tensor) -> Work[Tensor]:
    """The Gauss-Newton matrix of J times `vector` (p,); `core.curvature.products` has the same for
    images, by forward-mode derivatives that sparse matrices lack."""
    weights = list(network.parameters())
    logits = network(graph)
    change = _derivative(logits, weights, unflat(vector, weights))
    p = logits.detach().softmax(1)
    curved = p * (change - (p * change).sum(1, keepdim=True))
    product = flat(torch.autograd.grad(logits, weights, curved / len(graph)))
    yield
    return product + network.recipe.weight_decay * vector


def _derivative(logits: Tensor, weights: Sequence[Tensor], along: Sequence[Tensor]) -> Tensor:
    """(n, classes): of the logits when the weights move so, by two backward passes (Pearlmutter's
    trick): the pullback is linear in what it is given, and its transpose is what is asked for."""
    given = torch.zeros_like(logits, requires_grad=True)
    pulled = torch.autograd.grad(logits, weights, given, create_graph=True)
    found = torch.autograd.grad(pulled, given, list(along), retain_graph=True)[0]
    return found.detach()
