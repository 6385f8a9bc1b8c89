"""Only the last k blocks are trained on the retain set, the others stay: CF-k and EU-k.

CF-k (catastrophically forgetting the last k layers) goes on from the original weights, EU-k
(exact unlearning of the last k layers) from new random ones. Goel et al. 2022. A frozen block
computes as in evaluation, so that its BatchNorm statistics stay as well. What the frozen blocks
know of the forget set, they keep.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from core.models.classifier import Classifier
from core.models.registry import build_model
from core.unlearners.base import Step, Unlearner, UnlearningData, parameter
from core.unlearners.common.descent import batches, cross_entropy, descend, steps_for, stream


def block_count(default: int) -> int:
    """The parameter that says how many blocks are trained."""
    found: int = parameter(
        default, "Blocks (k)", "How many blocks are trained, counted from the output.", 1, 4
    )
    return found


def _passes(default: float) -> float:
    found: float = parameter(
        default,
        "Passes",
        "How often each image to keep is seen again.",
        0.01,
        50,
        log=True,
        presets={"digits": 8.0},
    )
    return found


def _rate(default: float) -> float:
    found: float = parameter(
        default,
        "Learning rate",
        "How far each step moves: larger forgets more and costs accuracy.",
        1e-5,
        1.0,
        log=True,
        presets={"digits": 0.2},
    )
    return found


@contextmanager
def training_last(model: Classifier, blocks: int) -> Iterator[None]:
    """The model in training mode, but for all blocks before the last so many: these take no
    gradient and compute as in evaluation. Afterwards all weights take gradients again."""
    frozen = model.stages()[:-blocks]
    parameters = [weight for stage in frozen for weight in stage.parameters()]
    model.train()
    try:
        for stage in frozen:
            stage.eval()
        for weight in parameters:
            weight.requires_grad_(False)
        yield
    finally:
        for weight in parameters:
            weight.requires_grad_(True)


@dataclass(frozen=True)
class CFk(Unlearner):
    """theta_k <- theta_k - eta grad CE(R), theta_k the parameters of the last k blocks."""

    name = "cf_k"
    label = "CF-k"
    group = "retrain-like"
    needs = frozenset({"retain"})
    sentence = (
        "Fine-tunes only the last layers on the images to keep: cheaper than fine-tuning all, but "
        "the earlier layers still know what they knew."
    )
    paper = "Goel et al. 2022, arXiv 2201.06640"

    blocks: int = block_count(3)
    epochs: float = _passes(0.7)
    learning_rate: float = _rate(0.2)
    momentum: float = parameter(0.9, "Momentum", "How much of the last step carries on.", 0, 0.99)
    batch_size: int = parameter(
        128, "Batch size", "Images a step.", 8, 1024, log=True, presets={"digits": 32}
    )

    def run(
        self, model: Classifier, data: UnlearningData, generator: torch.Generator
    ) -> Generator[Step, None, None]:
        with training_last(model, self.blocks):
            retain = batches(data.retain, "retain", self.batch_size, generator, model)
            losses = (cross_entropy(model, x, y) for x, y in retain)
            total = steps_for(data.retain, self.epochs, self.batch_size)
            yield from descend(model, losses, total, self.learning_rate, self.momentum)


@dataclass(frozen=True)
class EUk(CFk):
    """The last k blocks drawn anew as for a new network, then trained as in CF-k: nothing of what
    they were is left."""

    name = "eu_k"
    label = "EU-k"
    sentence = (
        "Throws the last layers away and trains new ones on the images to keep: these never saw "
        "the others, but the earlier layers still know what they knew."
    )

    blocks: int = block_count(2)
    epochs: float = _passes(1.0)
    learning_rate: float = _rate(0.15)

    def run(
        self, model: Classifier, data: UnlearningData, generator: torch.Generator
    ) -> Generator[Step, None, None]:
        fresh = build_model(data.architecture, data.classes, stream(generator, "new weights"))
        for stage, new in zip(
            model.stages()[-self.blocks :], fresh.stages()[-self.blocks :], strict=True
        ):
            stage.load_state_dict(new.state_dict())
        yield from super().run(model, data, generator)
