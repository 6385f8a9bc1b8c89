"""DELETE: distillation from the original model with the class to forget masked out.

Zhou et al., CVPR 2025. A batch's loss is KL(t || softmax f(x)) over F, where the target t is what
the original model f0 says of x once it may not name the class: t = softmax of f0(x) with the logits
of the classes to forget at minus infinity.
"""

from __future__ import annotations

import copy
from collections.abc import Generator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models.classifier import Classifier
from core.models.precision import training_precision
from core.unlearners.base import Step, Unlearner, UnlearningData, parameter
from core.unlearners.common.descent import batches, descend, freeze_batchnorm, steps_for


def without(logits: Tensor, forgotten: Tensor) -> Tensor:
    """Probabilities (n, K) of logits (n, K) where the forgotten classes are ruled out."""
    return logits.index_fill(1, forgotten, -torch.inf).softmax(1)


@dataclass(frozen=True)
class Delete(Unlearner):
    """theta <- theta - eta grad KL(softmax(f0(x) without the forgotten classes) || softmax f(x))
    over F.

    Where several classes are forgotten all of them are masked, since none may take the others'
    images. The forget images do not feed BatchNorm's running statistics.
    """

    name = "delete"
    label = "DELETE"
    group = "teacher-student"
    needs = frozenset({"forget"})
    suits = "classes"
    sentence = (
        "Asks the original model what it would say of each image if the class did not exist, and "
        "teaches that. Needs no other data; the model goes on seeing what the images resemble."
    )
    paper = "Zhou et al., CVPR 2025, arXiv 2503.23751"

    epochs: float = parameter(
        1.0,
        "Passes",
        "How often each image to forget is seen.",
        0.01,
        50,
        log=True,
        presets={"digits": 3.0},
    )
    learning_rate: float = parameter(
        1.5e-4,
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
        teacher = copy.deepcopy(model).eval().requires_grad_(False)
        forgotten = torch.tensor(data.forgotten_classes, device=next(model.parameters()).device)

        def loss(images: Tensor) -> Tensor:
            with training_precision(images.device):
                asked, logits = teacher(images), model(images)
            target = without(asked.float(), forgotten)
            return F.kl_div(logits.float().log_softmax(1), target, reduction="batchmean")

        model.train()
        freeze_batchnorm(model)
        forget = batches(data.forget, "forget", self.batch_size, generator, model)
        losses = (loss(images) for images, _ in forget)
        total = steps_for(data.forget, self.epochs, self.batch_size)
        yield from descend(model, losses, total, self.learning_rate, self.momentum)
