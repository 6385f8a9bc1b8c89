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

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from core.curvature.fisher import fisher_factors, woodfisher
from core.curvature.products import Work, add_gradient, flat, ggn_product, unflat
from core.curvature.solvers import conjugate_gradients
from core.errors import Diverged
from core.models.classifier import Classifier
from core.unlearners.base import Steps, Unlearner, UnlearningData, parameter
from core.unlearners.common.counting import Counted
from core.unlearners.common.draw import Draw, steps_for, together
from core.unlearners.common.networks import device_of
from core.unlearners.common.parameters import batch, strength

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

    name, label, group = "influence_cg", "Influence (conjugate gradients)", "second-order"
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
        product = functools.partial(ggn_product, model, sample, batch_size=self.batch_size)

        def solve(target: Tensor) -> Work[Tensor]:
            return conjugate_gradients(product, target, self.damping, self.iterations)

        steps = sample.steps(self.batch_size)
        yield from _step(self, model, data, draw, self.iterations * steps, solve)


@dataclass(frozen=True)
class InfluenceWoodFisher(Unlearner):
    """theta <- theta + s (n_F / N) (H + lambda I)^-1 (g_F - g_R), H the sum of the squares of
    `factors` gradients, each of one batch for labels drawn from the softmax, inverted exactly.

    In all directions but those H is lambda alone: so the step is the plain gradient's, less what
    would change the network's answers most. Memory: `factors` times the size of the network.
    """

    name, label, group = "influence_woodfisher", "Influence (WoodFisher)", "second-order"
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
        draw, all_images = Draw(generator, device_of(model)), together(data.retain, data.forget)
        label_generator = draw.stream("curvature")
        factors = fisher_factors(model, all_images, self.factors, self.batch_size, label_generator)

        def solve(target: Tensor) -> Work[Tensor]:
            return woodfisher(factors, target, self.damping)

        yield from _step(self, model, data, draw, self.factors, solve)


def _step(
    method: InfluenceCG | InfluenceWoodFisher,
    model: Classifier,
    data: UnlearningData,
    draw: Draw,
    rounds: int,
    solve: Callable[[Tensor], Work[Tensor]],
) -> Steps:
    """theta <- theta + s (n_F / N) solve(g_F - g_R), g_F over all of F, g_R over a share of R."""
    model.eval()
    target = torch.zeros_like(flat(model.parameters()))
    share = len(data.forget) / (len(data.forget) + len(data.retain))
    size, passes = method.batch_size, method.retain_epochs
    parts = (
        (data.forget, "forget", data.forget.steps(size), 1),
        (data.retain, "retain", steps_for(data.retain, passes, size), -1),
    )
    counted = Counted(sum(count for _, _, count, _ in parts) + rounds + 1)
    for part, name, count, sign in parts:
        images = min(len(part), count * size)
        for x, y in itertools.islice(draw.batches(part, name, size), count):
            summed_loss = add_gradient(model, x, y, sign * share / images, target)
            yield counted.step("gradient", summed_loss / len(y))
    solved = yield from counted.through(solve(target))
    _move(model, method.scale * solved)
    yield counted.step()


@torch.no_grad()
def _move(model: Classifier, change: Tensor) -> None:
    """Adds `change` (p,) to the weights. Raises Diverged."""
    weights = list(model.parameters())
    if not change.isfinite().all():
        raise Diverged("The step is no longer numbers.", "More damping helps.")
    for weight, delta in zip(weights, unflat(change, weights), strict=True):
        weight.add_(delta)
