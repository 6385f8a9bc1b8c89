"""Boundary unlearning: the decision boundary of a class is moved until the class is gone.

Chen et al., CVPR 2023. Boundary Shrink teaches each forget image the class across its nearest
boundary; Boundary Expand maps the class onto one more, which is then taken away.

Both see the forget images alone. These never feed BatchNorm's running statistics.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models.classifier import Classifier
from core.models.precision import training_precision
from core.unlearners.base import Steps, UnlearningData, parameter
from core.unlearners.common.descent import Descent, Phase, descend, in_phases
from core.unlearners.common.draw import Draw
from core.unlearners.common.losses import cross_entropy, logits
from core.unlearners.common.networks import device_of, freeze_batchnorm, frozen_copy
from core.unlearners.common.parameters import batch, passes, rate, sgd_momentum
from core.unlearners.common.pixels import WHITE, pixel_gradient

UNKNOWN = -1
"""The nearest class of an image that has not been looked at yet."""


def nearest_class(
    model: Classifier, images: Tensor, labels: Tensor, forgotten: Tensor, epsilon: float
) -> Tensor:
    """argmax of f(x + epsilon sign(d CE(f(x), y) / d x)) over the classes that are not forgotten.

    epsilon: of the fast gradient sign method, in pixel units of [0, 1]; the moved image is clipped
    to what an image can be. Returns int64 (n,).
    """
    gradient, _ = pixel_gradient(model, images, labels)
    moved = (images + WHITE * epsilon * gradient.sign()).clamp(0, WHITE)
    with torch.no_grad():
        return logits(model, moved).index_fill(1, forgotten, -torch.inf).argmax(1)


@dataclass(frozen=True)
class BoundaryShrink(Descent):
    """theta <- theta - eta grad CE(f(x), y') over F, y' the wrong class that is nearest to x in f0:
    y' = argmax over the classes that stay of f0(x + epsilon sign grad_x CE(f0(x), y)).

    The paper takes the argmax over all classes; where the step is too short to leave the class it
    would teach the true label again, so the classes to forget are left out.
    """

    name, label, group = "boundary_shrink", "Boundary Shrink", "forget-only"
    needs = frozenset({"forget"})
    suits = "classes"
    sentence = (
        "Finds for each image to forget the other class that it is closest to, and trains the "
        "model to say that instead. Needs no other data, and the neighbouring classes suffer most."
    )
    paper = "Chen et al., CVPR 2023, arXiv 2303.11570"

    epochs: float = passes(0.6)
    learning_rate: float = rate(1e-4, low=1e-6)
    epsilon: float = parameter(
        0.1,
        "Search radius",
        "How far each pixel may change in the search for the closest class: 1 is black to white.",
        0.001,
        1,
        log=True,
    )
    momentum: float = sgd_momentum()
    batch_size: int = batch(low=4)

    def losses(self, model: Classifier, data: UnlearningData, draw: Draw) -> Iterator[Tensor]:
        original = frozen_copy(model)
        forgotten = torch.tensor(data.forgotten_classes, device=draw.device)
        nearest = torch.full((len(data.forget),), UNKNOWN)
        freeze_batchnorm(model.train())
        for positions in data.forget.shuffled_positions(self.batch_size, draw.stream("forget")):
            x, y = data.forget.batch(positions, draw.device)
            if (nearest[positions] == UNKNOWN).any():
                nearest[positions] = nearest_class(original, x, y, forgotten, self.epsilon).cpu()
            yield cross_entropy(model, x, nearest[positions].to(draw.device))


@dataclass(frozen=True)
class BoundaryExpand(Descent):
    """theta <- theta - eta grad CE([f(x), w'h(x) + b], K + 1) over F, h(x) the features: all that
    is to be forgotten goes to a shadow class K + 1, whose neuron (w, b) is trained along.

    The neuron starts at random, as a linear layer does, and stands beside the head, never in it: so
    the model has its K classes at every moment, and the pruning at the end is to drop the neuron.
    """

    name, label, group = "boundary_expand", "Boundary Expand", "forget-only"
    needs = frozenset({"forget"})
    suits = "classes"
    sentence = (
        "Gives the model one more answer, trains it to give that for everything to forget, and "
        "then takes the answer away again. Needs no other data; what is left of the class may "
        "still be guessed."
    )
    paper = "Chen et al., CVPR 2023, arXiv 2303.11570"

    epochs: float = passes(1.3)
    learning_rate: float = rate(4e-5, low=1e-6)
    momentum: float = sgd_momentum()
    batch_size: int = batch(low=4)

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        draw = Draw(generator, device_of(model))
        neuron = _neuron(model, draw.stream("shadow class"))
        optimiser = self.optimiser(model)
        optimiser.add_param_group({"params": neuron})
        total = self.steps(data)
        work = descend(optimiser, self.expanded(model, neuron, data, draw), total)
        yield from in_phases(Phase("unlearning", total, work))

    def expanded(
        self, model: Classifier, neuron: list[Tensor], data: UnlearningData, draw: Draw
    ) -> Iterator[Tensor]:
        freeze_batchnorm(model.train())
        for x, _ in draw.batches(data.forget, "forget", self.batch_size):
            with training_precision(x.device):
                features = model.features(x)
                shadow = F.linear(features, *neuron)
                answers = torch.cat([model.head(features), shadow], 1)
            shadow_class = torch.full((len(x),), data.classes, device=x.device)
            yield F.cross_entropy(answers.float(), shadow_class)


def _neuron(model: Classifier, generator: torch.Generator) -> list[Tensor]:
    """One more neuron for the head, drawn as nn.Linear draws: weight (1, d) and bias (1,)."""
    head = model.head.weight
    bound = head.shape[1] ** -0.5
    drawn = torch.empty(head.shape[1] + 1).uniform_(-bound, bound, generator=generator)
    weight, bias = drawn.to(head).split([head.shape[1], 1])  # type: ignore[no-untyped-call]
    return [weight[None].clone().requires_grad_(), bias.clone().requires_grad_()]
