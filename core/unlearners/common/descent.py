"""What gradient-based methods share: streams of batches, and steps of SGD along a cosine."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import math
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.data.images import Images
from core.errors import Diverged
from core.models.classifier import Classifier
from core.models.precision import training_precision
from core.training.optimisers import make_optimiser
from core.unlearners.base import Step


def stream(generator: torch.Generator, name: str) -> torch.Generator:
    """A generator of its own for one purpose, fixed by the seed and the name alone: so the order of
    the retain batches, say, does not depend on whether forget batches are drawn beside them."""
    key = f"{generator.initial_seed()}/{name}".encode()
    seed = int.from_bytes(hashlib.sha256(key).digest()[:8], "little") >> 1
    return torch.Generator().manual_seed(seed)


def batches(
    part: Images, name: str, batch_size: int, generator: torch.Generator, model: Classifier
) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless shuffled batches of one part of the data, on the model's device."""
    device = next(model.parameters()).device
    return part.shuffled(batch_size, stream(generator, name), device)


def cross_entropy(model: Classifier, images: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of a batch, in training precision."""
    with training_precision(images.device):
        logits = model(images)
    return F.cross_entropy(logits.float(), labels)


def steps_for(part: Images, epochs: float, batch_size: int) -> int:
    """Batches in that many passes over a part, which need not be whole passes; at least one."""
    return max(1, round(epochs * part.steps(batch_size)))


def descend(
    model: Classifier,
    losses: Iterator[Tensor],
    total: int,
    learning_rate: float,
    momentum: float = 0.9,
    after_step: Callable[[float], None] | None = None,
    phase: str = "unlearning",
    optimiser: torch.optim.Optimizer | None = None,
) -> Iterator[Step]:
    """`total` steps on these losses, the rate falling along a cosine from `learning_rate` to 0.

    optimiser: SGD with Nesterov momentum over the trainable weights by default. after_step gets the
    rate that was used. Raises Diverged.
    """
    optimiser = optimiser or make_optimiser(model, learning_rate, momentum)
    for done, loss in enumerate(itertools.islice(losses, total)):
        rate = learning_rate * 0.5 * (1 + math.cos(math.pi * done / total))
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if after_step:
            after_step(rate)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise Diverged(
                f"The method diverged: at step {done + 1} its loss is no longer a number.",
                "A lower learning rate helps.",
            )
        yield Step(done + 1, total, value, phase)


def in_phases(*phases: tuple[int, Iterator[Step]]) -> Iterator[Step]:
    """One after the other, numbered through. Each: how many steps it has, and the steps."""
    whole, before = sum(total for total, _ in phases), 0
    for total, steps in phases:
        for step in steps:
            yield dataclasses.replace(step, done=before + step.done, total=whole)
        before += total


def freeze_batchnorm(model: Classifier) -> None:
    """BatchNorm uses its running statistics and leaves them alone, until `model.train()`."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
