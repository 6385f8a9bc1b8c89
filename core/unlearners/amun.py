"""AMUN: fine-tuning on adversarial neighbours of the forget images, under their wrong labels.

Ebrahimpour-Boroojeny et al., ICML 2025. Beside each forget image (x, y) is put the nearest image
that the original model takes for something else, with that wrong label: between the two the model
becomes unsure, as one is of an image that it never saw, and little else changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models.classifier import Classifier
from core.unlearners.base import Steps, UnlearningData, parameter
from core.unlearners.common.descent import Descent, Phase, descend, in_phases
from core.unlearners.common.draw import Draw, in_order
from core.unlearners.common.losses import cross_entropy
from core.unlearners.common.networks import device_of, freeze_batchnorm
from core.unlearners.common.parameters import OF_EACH_KIND, batch, passes, rate, sgd_momentum
from core.unlearners.common.pixels import WHITE, pixel_gradient

RADII = 8
"""How many radii are tried, each twice the last."""
NONE_FOUND = -100
"""The label that cross-entropy passes over."""


def nearest_adversarial(
    model: Classifier, images: Tensor, labels: Tensor, radius: float, steps: int
) -> tuple[Tensor, Tensor]:
    """Projected gradient ascent on CE within an L2 ball that doubles until the label is wrong.

    images: uint8 (n, 3, s, s). radius: the first one, L2 in pixel units of [0, 1]. steps: within
    each ball, of length radius / steps. The search goes on from where the smaller ball left it and
    stops at the first point with a wrong label: at most one step beyond the boundary it crossed.
    The model must be in evaluation mode.

    Returns offsets float32 (n, 3, s, s) in pixel levels, such that images + offsets are in
    [0, 255], and the wrong labels int64 (n,), `NONE_FOUND` where no radius sufficed. An image that
    the model gets wrong as it is has the offset 0.
    """
    origins = images.float()
    offsets = torch.zeros_like(origins)
    wrong = torch.full_like(labels, NONE_FOUND)
    active = torch.arange(len(images), device=images.device)
    for step in range(RADII * steps):
        ball = WHITE * radius * 2 ** (step // steps)
        gradient, logits = pixel_gradient(model, origins[active] + offsets[active], labels[active])
        predicted = logits.argmax(1)
        fooled = predicted != labels[active]
        wrong[active[fooled]] = predicted[fooled]
        active, gradient = active[~fooled], gradient[~fooled]
        if len(active) == 0:
            break
        # A confident image's gradient is tiny and still points the way.
        direction = F.normalize(gradient.flatten(1), eps=1e-30).view_as(gradient)
        moved = offsets[active] + ball / steps * direction
        length = moved.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        inside = moved * (ball / length.clamp_min(ball))
        offsets[active] = (origins[active] + inside).clamp(0, WHITE) - origins[active]
    return offsets, wrong


@dataclass(frozen=True)
class Amun(Descent):
    """theta <- theta - eta grad CE over F, A and as many images of R, A the nearest adversarial
    neighbour of each image of F with the label that f0 gives it.

    The paper's fine-tuning on R, F and A, with R drawn as often as F in place of all of it. The
    neighbours are fed as the float pixels that the search found, kept as half-precision offsets:
    rounded to whole levels, which moves an image by .06, one in forty of CIFAR-10's is no longer
    taken for something else. An image and its neighbour come in the same batch; neither feeds
    BatchNorm's running statistics.
    """

    name, label, group = "amun", "AMUN", "retrain-like"
    needs = frozenset({"retain", "forget"})
    suits = "samples"
    sentence = (
        "Finds for each image to forget the smallest change that fools the model, and teaches the "
        "fooled answer for it beside the true one, until the model is unsure of both."
    )
    paper = "Ebrahimpour-Boroojeny et al., ICML 2025, arXiv 2503.00917"

    epochs: float = passes(0.8)
    learning_rate: float = rate(0.02)
    radius: float = parameter(
        0.2,
        "First search radius",
        "Where the search for the smallest change begins; it doubles until the model is fooled.",
        0.01,
        10,
        log=True,
    )
    attack_steps: int = parameter(
        2, "Steps a radius", "More find a smaller change and take longer.", 1, 50, log=True
    )
    momentum: float = sgd_momentum()
    batch_size: int = batch(help=OF_EACH_KIND)

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        shape = data.forget.images.shape[1:]
        offsets = torch.zeros(len(data.forget), *shape, dtype=torch.float16)
        wrong = torch.full((len(data.forget),), NONE_FOUND)
        draw, total = Draw(generator, device_of(model)), self.steps(data)
        attack = self.attack(model, data, offsets, wrong)
        descent = descend(
            self.optimiser(model), self.unsure(model, data, draw, offsets, wrong), total
        )
        yield from in_phases(
            Phase("fooling the model", data.forget.steps(self.batch_size), attack),
            Phase("unlearning", total, descent),
        )

    def attack(
        self, model: Classifier, data: UnlearningData, offsets: Tensor, wrong: Tensor
    ) -> Iterator[None]:
        """Fills in the neighbour of each image and its label."""
        model.eval()
        for positions in in_order(data.forget, self.batch_size):
            x, y = data.forget.batch(positions, device_of(model))
            offset, label = nearest_adversarial(model, x, y, self.radius, self.attack_steps)
            offsets[positions], wrong[positions] = offset.to("cpu", torch.float16), label.cpu()
            yield None

    def unsure(
        self, model: Classifier, data: UnlearningData, draw: Draw, offsets: Tensor, wrong: Tensor
    ) -> Iterator[Tensor]:
        """The mean CE over one batch each of R, F and A, over and over."""
        retain = draw.batches(data.retain, "retain", self.batch_size)
        for positions in data.forget.shuffled_positions(self.batch_size, draw.stream("forget")):
            x, y = next(retain)
            model.train()
            retain_loss, size = cross_entropy(model, x, y), len(y)
            x, y = data.forget.batch(positions, draw.device)
            neighbours = x + offsets[positions].to(draw.device, torch.float32)
            labels = torch.cat([y, wrong[positions].to(draw.device)])
            count = int((labels != NONE_FOUND).sum())
            freeze_batchnorm(model)
            forget_loss = cross_entropy(model, torch.cat([x.float(), neighbours]), labels)
            yield (size * retain_loss + count * forget_loss) / (size + count)
