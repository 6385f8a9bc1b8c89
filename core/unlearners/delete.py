"""DELETE: distillation from the original model with the class to forget masked out.

Zhou et al., CVPR 2025. A batch's loss is KL(t || softmax f(x)) over F, where the target t is what
the original model f0 says of x once it may not name the class: t = softmax of f0(x) with the logits
of the classes to forget at minus infinity.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models.classifier import Classifier
from core.unlearners.base import UnlearningData
from core.unlearners.common.descent import Descent
from core.unlearners.common.draw import Draw
from core.unlearners.common.losses import logits
from core.unlearners.common.networks import freeze_batchnorm, frozen_copy
from core.unlearners.common.parameters import batch, passes, rate, sgd_momentum


def without(logits: Tensor, forgotten: Tensor) -> Tensor:
    """Probabilities (n, K) of logits (n, K) where the forgotten classes are ruled out."""
    return logits.index_fill(1, forgotten, -torch.inf).softmax(1)


@dataclass(frozen=True)
class Delete(Descent):
    """theta <- theta - eta grad KL(softmax(f0(x) without the forgotten classes) || softmax f(x))
    over F.

    Where several classes are forgotten all of them are masked, since none may take the others'
    images. The forget images do not feed BatchNorm's running statistics.
    """

    name, label, group = "delete", "DELETE", "teacher-student"
    needs = frozenset({"forget"})
    suits = "classes"
    sentence = (
        "Asks the original model what it would say of each image if the class did not exist, and "
        "teaches that. Needs no other data; the model goes on seeing what the images resemble."
    )
    paper = "Zhou et al., CVPR 2025, arXiv 2503.23751"

    epochs: float = passes(1.0)
    learning_rate: float = rate(1.5e-4, low=1e-6)
    momentum: float = sgd_momentum()
    batch_size: int = batch(low=4)

    def losses(self, model: Classifier, data: UnlearningData, draw: Draw) -> Iterator[Tensor]:
        teacher = frozen_copy(model)
        forgotten = torch.tensor(data.forgotten_classes, device=draw.device)
        freeze_batchnorm(model.train())
        for x, _ in draw.batches(data.forget, "forget", self.batch_size):
            target = without(logits(teacher, x), forgotten)
            yield F.kl_div(logits(model, x).log_softmax(1), target, reduction="batchmean")
