"""Only the last k blocks are trained on the retain set, the others stay: CF-k and EU-k.

CF-k (catastrophically forgetting the last k layers) goes on from the original weights, EU-k
(exact unlearning of the last k layers) from new random ones. Goel et al. 2022. A frozen block
computes as in evaluation, so that its BatchNorm statistics stay as well. What the frozen blocks
know of the forget set, they keep.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from core.models.classifier import Classifier
from core.models.registry import build_model
from core.unlearners.base import Steps, UnlearningData
from core.unlearners.common.descent import Descent
from core.unlearners.common.draw import Draw, stream
from core.unlearners.common.losses import cross_entropy
from core.unlearners.common.networks import training_last
from core.unlearners.common.parameters import (
    batch,
    sgd_momentum,
    trained_blocks,
    tuning_passes,
    tuning_rate,
)


@dataclass(frozen=True)
class CFk(Descent):
    """theta_k <- theta_k - eta grad CE(R), theta_k the parameters of the last k blocks."""

    name, label, group = "cf_k", "CF-k", "retrain-like"
    needs = frozenset({"retain"})
    over = "retain"
    sentence = (
        "Fine-tunes only the last layers on the images to keep: "
        "cheaper than fine-tuning all, "
        "but the earlier layers still know what they knew."
    )
    paper = "Goel et al. 2022, arXiv 2201.06640"

    blocks: int = trained_blocks(3)
    epochs: float = tuning_passes(0.7)
    learning_rate: float = tuning_rate(0.2)
    momentum: float = sgd_momentum()
    batch_size: int = batch()

    def losses(self, model: Classifier, data: UnlearningData, draw: Draw) -> Iterator[Tensor]:
        for x, y in draw.batches(data.retain, "retain", self.batch_size):
            yield cross_entropy(model, x, y)

    def descent(self, model: Classifier, data: UnlearningData, draw: Draw) -> Iterator[float]:
        with training_last(model, self.blocks):
            yield from super().descent(model, data, draw)


@dataclass(frozen=True)
class EUk(CFk):
    """The last k blocks drawn anew as for a new network, then trained as in CF-k: nothing of what
    they were is left."""

    name, label = "eu_k", "EU-k"
    sentence = (
        "Throws the last layers away and trains new ones on the images to keep: these never saw "
        "the others, but the earlier layers still know what they knew."
    )

    blocks: int = trained_blocks(2)
    epochs: float = tuning_passes(1.0)
    learning_rate: float = tuning_rate(0.15)

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        fresh = build_model(data.architecture, data.classes, stream(generator, "new weights"))
        for stage, new in zip(
            model.stages()[-self.blocks :], fresh.stages()[-self.blocks :], strict=True
        ):
            stage.load_state_dict(new.state_dict())
        yield from super().run(model, data, generator)
