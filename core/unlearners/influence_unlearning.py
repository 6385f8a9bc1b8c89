"""Influence unlearning of the whole network: the step to where theta would be without F.

The minimum of the loss over all N training images moves, once F's n_F are left out, by
H^-1 (grad of the mean loss over all - grad over R) = (n_F / N) H^-1 (g_F - g_R), with the mean
gradients of both parts. Taking that difference, not -g_R alone, makes up for theta not being the
minimum on all images. H is the generalised Gauss-Newton matrix of the mean loss over all training
images, here over a sample of them, plus lambda I: it is the Fisher information; with the true
labels in place of drawn ones (the empirical Fisher) it would vanish with the training loss.

Evaluation mode throughout: BatchNorm's running statistics stay, and no image feeds them.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import torch
from torch import Tensor

from core.curvature.fisher import fisher_factors, woodfisher
from core.curvature.products import add_gradient, flat, ggn_product, unflat
from core.curvature.solvers import conjugate_gradients
from core.errors import Diverged
from core.models.classifier import Classifier
from core.unlearners.base import Step, Steps, Unlearner, UnlearningData, parameter
from core.unlearners.common.draw import Draw, steps_for, together
from core.unlearners.common.networks import device_of
from core.unlearners.common.parameters import batch, strength
from core.unlearners.common.solving import solving

SENTENCE = (
    "Estimates, from the loss's curvature, the step that training without these images would have "
    "made of the weights, and takes it. "
)


def _damping(default: float) -> float:
    help = "Added to the curvature in every direction: more makes the step smaller and safer."
    return parameter(default, "Damping", help, 1e-8, 1e3, log=True)


def _retain_epochs() -> float:
    help = "How much of the images to keep is read for their gradient."
    return parameter(0.2, "Passes over kept images", help, 0.01, 1.0, log=True)


@dataclass(frozen=True)
class InfluenceCG(Unlearner):
    """theta <- theta + s (n_F / N) (H + lambda I)^-1 (g_F - g_R), solved by conjugate gradients on
    exact products with the Gauss-Newton matrix of `samples` images."""

    name = "influence_cg"
    label = "Influence (conjugate gradients)"
    group = "second-order"
    needs = frozenset({"retain", "forget"})
    sentence = SENTENCE + "An approximation that is good for few images only."
    paper = (
        "Koh & Liang, ICML 2017, arXiv 1703.04730; Martens, ICML 2010; "
        "as unlearning: Izzo et al., AISTATS 2021, arXiv 2002.10077"
    )

    samples: int = parameter(
        512, "Curvature sample", "Images that the curvature is measured on.", 16, 50000, log=True
    )
    iterations: int = parameter(
        12, "Iterations", "Rounds of the solver, each one pass over the sample.", 2, 200, log=True
    )
    damping: float = _damping(0.01)
    scale: float = strength()
    retain_epochs: float = _retain_epochs()
    batch_size: int = batch()

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        draw = Draw(generator, device_of(model))
        sample = draw.sample(together(data.retain, data.forget), self.samples, "curvature")
        before = _gradient_steps(data, self.retain_epochs, self.batch_size)
        total = before + self.iterations * sample.steps(self.batch_size) + 1
        target = yield from _gradient(model, data, self.retain_epochs, self.batch_size, draw, total)

        def product(vector: Tensor) -> Generator[None, None, Tensor]:
            return ggn_product(model, sample, vector, self.batch_size)

        work = conjugate_gradients(product, target, self.damping, self.iterations)
        solved = yield from solving(work, before, total)
        _move(model, self.scale * solved)
        yield Step(total, total)


@dataclass(frozen=True)
class InfluenceWoodFisher(Unlearner):
    """theta <- theta + s (n_F / N) (H + lambda I)^-1 (g_F - g_R), H the sum of the squares of
    `factors` gradients, each of one batch for labels drawn from the softmax, inverted exactly.

    In all directions but those H is lambda alone: so the step is the plain gradient's, less what
    would change the network's answers most. Memory: `factors` times the size of the network.
    """

    name = "influence_woodfisher"
    label = "Influence (WoodFisher)"
    group = "second-order"
    needs = frozenset({"retain", "forget"})
    sentence = SENTENCE + "A rough picture of the curvature makes it quick."
    paper = (
        "Singh & Alistarh, NeurIPS 2020, arXiv 2004.14340; "
        "as unlearning: Jia et al., NeurIPS 2023, arXiv 2304.04934"
    )

    factors: int = parameter(
        64, "Curvature gradients", "Directions that are measured.", 2, 512, log=True
    )
    damping: float = _damping(0.03)
    scale: float = strength()
    retain_epochs: float = _retain_epochs()
    batch_size: int = batch()

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        draw, every = Draw(generator, device_of(model)), together(data.retain, data.forget)
        before = _gradient_steps(data, self.retain_epochs, self.batch_size)
        total = before + self.factors + 1
        target = yield from _gradient(model, data, self.retain_epochs, self.batch_size, draw, total)
        drawn = draw.stream("curvature")
        factors = fisher_factors(model, every, self.factors, self.batch_size, drawn)
        solved = yield from solving(woodfisher(factors, target, self.damping), before, total)
        _move(model, self.scale * solved)
        yield Step(total, total)


def _gradient_steps(data: UnlearningData, retain_epochs: float, batch_size: int) -> int:
    return steps_for(data.forget, 1, batch_size) + steps_for(data.retain, retain_epochs, batch_size)


def _gradient(
    model: Classifier,
    data: UnlearningData,
    retain_epochs: float,
    batch_size: int,
    draw: Draw,
    total: int,
) -> Generator[Step, None, Tensor]:
    """(n_F / N) (g_F - g_R), g_F over all of F, g_R over a share of R, (p,)."""
    model.eval()
    found = torch.zeros_like(flat(model.parameters()))
    share = len(data.forget) / (len(data.forget) + len(data.retain))
    done = 0
    for part, name, epochs, sign in (
        (data.forget, "forget", 1.0, 1),
        (data.retain, "retain", retain_epochs, -1),
    ):
        count = steps_for(part, epochs, batch_size)
        images = min(len(part), count * batch_size)
        read = draw.batches(part, name, batch_size)
        for _ in range(count):
            x, y = next(read)
            summed = add_gradient(model, x, y, sign * share / images, found)
            done += 1
            yield Step(done, total, summed / len(y), "gradient")
    return found


@torch.no_grad()
def _move(model: Classifier, change: Tensor) -> None:
    """Adds `change` (p,) to the weights. Raises Diverged."""
    weights = list(model.parameters())
    if not change.isfinite().all():
        raise Diverged("The step is no longer numbers.", "More damping helps.")
    for weight, own in zip(weights, unflat(change, weights), strict=True):
        weight.add_(own)
