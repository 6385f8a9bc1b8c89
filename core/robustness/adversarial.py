"""Accuracy under adversarial perturbation: the fast gradient sign method and projected gradient
descent, within an l_inf ball.

FGSM: x + eps sign(d CE(f(x), y) / d x) (Goodfellow et al., ICLR 2015, arXiv 1412.6572). PGD: from a
random point of the ball, k steps of that kind of a smaller size, each projected back into the ball
(Madry et al., ICLR 2018, arXiv 1706.06083). Both in float32, on images in levels 0 to 255; eps is
a fraction of that range, 8 / 255 say. A model whose gradients vanish looks more robust than it is
(Athalye et al., ICML 2018, arXiv 1802.00420): what is measured is a bound from above.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from core.errors import BadSetting, short
from core.evaluation import logits_of
from core.metrics.measures import Measure, share_of
from core.models.classifier import Classifier
from core.models.modes import evaluating
from core.models.precision import float32_only
from core.unlearners.common.networks import device_of
from core.unlearners.common.pixels import WHITE, pixel_gradient

Attack = Literal["fgsm", "pgd"]
ATTACKS: tuple[Attack, ...] = get_args(Attack)
STEPS = 20
"""Of PGD: PGD-20."""
REACH = 2.5
"""How many times over PGD's steps could cross the radius of the ball, as in Madry et al."""
BATCH = 64


def fgsm(model: Classifier, images: Tensor, labels: Tensor, eps: float) -> Tensor:
    """Each image moved by eps in every pixel, the way its loss rises: float32 (n, 3, s, s), in [0,
    255]. The exact worst case where logits are linear in the pixels and there are two classes.

    images: (n, 3, s, s), uint8 or float, in [0, 255]. labels: int64 (n,). eps: 0 to 1; 0 changes
    nothing. The model's mode is as before, and no weight has a gradient from it. Raises BadSetting.
    """
    return _stepped(model, images.float(), labels, WHITE * _checked(eps)).clamp(0, WHITE)


def pgd(
    model: Classifier,
    images: Tensor,
    labels: Tensor,
    eps: float,
    generator: torch.Generator,
    steps: int = STEPS,
    step: float | None = None,
) -> Tensor:
    """The same by `steps` steps of size `step`, a fraction as eps is, `REACH` eps / steps by
    default. generator: of the random start, on the CPU. Raises BadSetting."""
    radius, origin = WHITE * _checked(eps), images.float()
    if steps < 1:
        raise BadSetting("PGD takes at least one step.")
    size = REACH * radius / steps if step is None else WHITE * step
    low, high = (origin - radius).clamp(min=0), (origin + radius).clamp(max=WHITE)
    start = 2 * torch.rand(origin.shape, generator=generator).to(origin.device) - 1
    moved = (origin + radius * start).clamp(low, high)
    for _ in range(steps):
        moved = _stepped(model, moved, labels, size).clamp(low, high)
    return moved


def _stepped(model: Classifier, images: Tensor, labels: Tensor, size: float) -> Tensor:
    with evaluating(model), float32_only():
        gradient, _ = pixel_gradient(model, images, labels)
    return images + size * gradient.sign()


def _checked(eps: float) -> float:
    if not 0 <= eps <= 1:
        raise BadSetting(f"A perturbation of eps = {eps:g} makes no sense.", "Give 0 to 1.")
    return eps


def adversarial_accuracy(
    model: Classifier,
    images: Tensor,
    labels: Tensor,
    eps: float,
    attack: Attack = "pgd",
    *,
    steps: int = STEPS,
    step: float | None = None,
    seed: int = 0,
    after_batch: Callable[[], None] | None = None,
) -> Measure:
    """How many of these images a model labels correctly as they are and when attacked: each image
    lies in its own ball, so that what is wrong without an attack is wrong.

    images: uint8 (n, 3, s, s). labels: int64 (n,). attack: "fgsm" or "pgd", which alone has steps,
    a step size and a seed. after_batch: called after each batch; what it raises ends the work.
    Raises BadSetting.
    """
    if attack not in ATTACKS:
        raise BadSetting(f"There is no attack {short(attack)}.", f"There are {', '.join(ATTACKS)}.")
    generator, device = torch.Generator().manual_seed(seed), device_of(model)
    right = np.zeros(len(images), bool)
    for start in range(0, len(images), BATCH):
        x, y = (part[start : start + BATCH].to(device) for part in (images, labels))
        if attack == "fgsm":
            moved = fgsm(model, x, y, eps)
        else:
            moved = pgd(model, x, y, eps, generator, steps, step)
        answers = (logits_of(model, seen).argmax(1) for seen in (x, moved))
        clean, attacked = (answer == y.cpu() for answer in answers)
        right[start : start + BATCH] = clean & attacked
        if after_batch is not None:
            after_batch()
    return share_of(right)
