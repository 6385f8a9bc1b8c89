"""Boundary unlearning: the decision boundary of a class is moved until the class is gone.

Chen et al., CVPR 2023. Boundary Shrink teaches each forget image the class across its nearest
boundary; Boundary Expand maps the class onto one more, which is then taken away.

Both see the forget images alone. These never feed BatchNorm's running statistics.
"""

from __future__ import annotations

import copy
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models.classifier import Classifier
from core.models.precision import training_precision
from core.training.optimisers import make_optimiser
from core.unlearners.base import Step, Unlearner, UnlearningData, parameter
from core.unlearners.common.descent import (
    batches,
    cross_entropy,
    descend,
    freeze_batchnorm,
    steps_for,
    stream,
)

UNKNOWN = -1
"""The nearest class of an image that has not been looked at yet."""
WHITE = 255
"""Pixel levels from 0 to 1, the unit in which perturbations are stated."""


def pixel_gradient(model: Classifier, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Of each image, d CE(f(x), y) / d x and the logits.

    images: (n, 3, s, s), uint8 or float, in [0, 255]. Returns float32 (n, 3, s, s) and (n, K). The
    model must be in evaluation mode, so that no image depends on the others; its weights get no
    gradient.
    """
    pixels = images.float().clone().requires_grad_()
    with training_precision(images.device):
        logits = model(pixels)
    loss = F.cross_entropy(logits.float(), labels, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, pixels)
    return gradient, logits.float().detach()


def nearest_class(
    model: Classifier, images: Tensor, labels: Tensor, forgotten: Tensor, epsilon: float
) -> Tensor:
    """argmax of f(x + epsilon sign(d CE(f(x), y) / d x)) over the classes that are not forgotten.

    epsilon: of the fast gradient sign method, in pixel units of [0, 1]; the moved image is clipped
    to what an image can be. Returns int64 (n,).
    """
    gradient, _ = pixel_gradient(model, images, labels)
    moved = (images + WHITE * epsilon * gradient.sign()).clamp(0, WHITE)
    with torch.no_grad(), training_precision(images.device):
        logits = model(moved)
    found: Tensor = logits.float().index_fill(1, forgotten, -torch.inf).argmax(1)
    return found


@dataclass(frozen=True)
class BoundaryShrink(Unlearner):
    """theta <- theta - eta grad CE(f(x), y') over F, y' the wrong class that is nearest to x in f0:
    y' = argmax over the classes that stay of f0(x + epsilon sign grad_x CE(f0(x), y)).

    The paper takes the argmax over all classes; where the step is too short to leave the class it
    would teach the true label again, so the classes to forget are left out.
    """

    name = "boundary_shrink"
    label = "Boundary Shrink"
    group = "forget-only"
    needs = frozenset({"forget"})
    suits = "classes"
    sentence = (
        "Finds for each image to forget the other class that it is closest to, and trains the "
        "model to say that instead. Needs no other data, and the neighbouring classes suffer most."
    )
    paper = "Chen et al., CVPR 2023, arXiv 2303.11570"

    epochs: float = parameter(
        0.6,
        "Passes",
        "How often each image to forget is seen.",
        0.01,
        50,
        log=True,
        presets={"digits": 1.0},
    )
    learning_rate: float = parameter(
        1e-4,
        "Learning rate",
        "How far each step moves.",
        1e-6,
        1.0,
        log=True,
        presets={"digits": 1e-3},
    )
    epsilon: float = parameter(
        0.1,
        "Search radius",
        "How far each pixel may change in the search for the closest class: 1 is black to white.",
        0.001,
        1,
        log=True,
    )
    momentum: float = parameter(0.9, "Momentum", "How much of the last step carries on.", 0, 0.99)
    batch_size: int = parameter(
        128, "Batch size", "Images a step.", 4, 1024, log=True, presets={"digits": 32}
    )

    def run(
        self, model: Classifier, data: UnlearningData, generator: torch.Generator
    ) -> Generator[Step, None, None]:
        forget = data.forget
        device = next(model.parameters()).device
        forgotten = torch.tensor(data.forgotten_classes, device=device)
        original = copy.deepcopy(model).eval().requires_grad_(False)
        nearest = torch.full((len(forget),), UNKNOWN)

        def losses() -> Iterator[Tensor]:
            model.train()
            freeze_batchnorm(model)
            order = stream(generator, "forget")
            for positions in forget.shuffled_positions(self.batch_size, order):
                x, y = forget.batch(positions, device)
                if (nearest[positions] == UNKNOWN).any():
                    found = nearest_class(original, x, y, forgotten, self.epsilon)
                    nearest[positions] = found.cpu()
                yield cross_entropy(model, x, nearest[positions].to(device))

        total = steps_for(forget, self.epochs, self.batch_size)
        yield from descend(model, losses(), total, self.learning_rate, self.momentum)


@dataclass(frozen=True)
class BoundaryExpand(Unlearner):
    """theta <- theta - eta grad CE([f(x), w'h(x) + b], K + 1) over F, h(x) the features: all that
    is to be forgotten goes to a shadow class K + 1, whose neuron (w, b) is trained along.

    The neuron starts at random, as a linear layer does, and stands beside the head, never in it: so
    the model has its K classes at every moment, and the pruning at the end is to drop the neuron.
    """

    name = "boundary_expand"
    label = "Boundary Expand"
    group = "forget-only"
    needs = frozenset({"forget"})
    suits = "classes"
    sentence = (
        "Gives the model one more answer, trains it to give that for everything to forget, and "
        "then takes the answer away again. Needs no other data; what is left of the class may "
        "still be guessed."
    )
    paper = "Chen et al., CVPR 2023, arXiv 2303.11570"

    epochs: float = parameter(
        1.3,
        "Passes",
        "How often each image to forget is seen.",
        0.01,
        50,
        log=True,
        presets={"digits": 2.0},
    )
    learning_rate: float = parameter(
        4e-5,
        "Learning rate",
        "How far each step moves.",
        1e-6,
        1.0,
        log=True,
        presets={"digits": 1e-3},
    )
    momentum: float = parameter(0.9, "Momentum", "How much of the last step carries on.", 0, 0.99)
    batch_size: int = parameter(
        128, "Batch size", "Images a step.", 4, 1024, log=True, presets={"digits": 32}
    )

    def run(
        self, model: Classifier, data: UnlearningData, generator: torch.Generator
    ) -> Generator[Step, None, None]:
        weight, bias = _neuron(model, stream(generator, "shadow class"))
        shadow_class = data.classes

        def loss(images: Tensor) -> Tensor:
            with training_precision(images.device):
                features = model.features(images)
                shadow = F.linear(features, weight, bias)
                logits = torch.cat([model.head(features), shadow], 1)
            target = torch.full((len(images),), shadow_class, device=images.device)
            return F.cross_entropy(logits.float(), target)

        model.train()
        freeze_batchnorm(model)
        forget = batches(data.forget, "forget", self.batch_size, generator, model)
        losses = (loss(images) for images, _ in forget)
        total = steps_for(data.forget, self.epochs, self.batch_size)
        optimiser = make_optimiser(model, self.learning_rate, self.momentum)
        optimiser.add_param_group({"params": [weight, bias]})
        yield from descend(model, losses, total, self.learning_rate, optimiser=optimiser)


def _neuron(model: Classifier, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """One more neuron for the head, drawn as nn.Linear draws: weight (1, d) and bias (1,)."""
    head = model.head.weight
    bound = head.shape[1] ** -0.5
    drawn = torch.empty(head.shape[1] + 1).uniform_(-bound, bound, generator=generator)
    weight, bias = drawn.to(head).split([head.shape[1], 1])  # type: ignore[no-untyped-call]
    return weight[None].clone().requires_grad_(), bias.clone().requires_grad_()
