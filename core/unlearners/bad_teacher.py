"""Bad Teacher: two frozen teachers, the original network and one that knows nothing.

With T the original, D a network with random weights and S the student, which starts as T:
minimise the mean over a mixture of all of F and a share of R of KL(T(x) || S(x)) where x is in R
and KL(D(x) || S(x)) where x is in F.

Here the forget images pass through BatchNorm's running statistics and leave them alone, while the
retain images feed them; in the paper both pass as one batch.
"""

from __future__ import annotations

import copy
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.data.images import Images
from core.models.classifier import Classifier
from core.models.precision import training_precision
from core.models.registry import build_model
from core.unlearners.base import Step, Unlearner, UnlearningData, parameter
from core.unlearners.common.descent import descend, freeze_batchnorm, steps_for, stream


def frozen_copy(model: Classifier) -> Classifier:
    """A teacher: a copy in evaluation mode whose weights take no gradient."""
    return copy.deepcopy(model).eval().requires_grad_(False)


def predict(model: Classifier, images: Tensor) -> Tensor:
    """Logits in training precision, float32 (N, classes)."""
    with training_precision(images.device):
        logits: Tensor = model(images)
    return logits.float()


def divergence(teacher: Tensor, student: Tensor, temperature: float = 1.0) -> Tensor:
    """KL(teacher || student) of the softmax at a temperature, for each image, (N,), from logits
    (N, classes). Times temperature^2, which keeps the gradient's size (Hinton et al. 2015)."""
    p, q = ((logits / temperature).log_softmax(1) for logits in (teacher, student))
    return temperature**2 * F.kl_div(q, p, log_target=True, reduction="none").sum(1)


@dataclass(frozen=True)
class BadTeacher(Unlearner):
    """Adam on the mean over the mixture of KL(T || S) on R and KL(D || S) on F."""

    name = "bad_teacher"
    label = "Bad Teacher"
    group = "teacher-student"
    needs = frozenset({"retain", "forget"})
    sentence = (
        "Learns from two teachers: on the images to keep from the original model, on those to "
        "forget from one that knows nothing, so that its answers there turn to guesses."
    )
    paper = "Chundawat et al., AAAI 2023, arXiv 2205.08096"

    epochs: float = parameter(
        1.0,
        "Passes",
        "How often each image to forget, and each of the share to keep, is seen.",
        0.01,
        50,
        log=True,
    )
    learning_rate: float = parameter(
        1e-4,
        "Learning rate",
        "How far each step of Adam moves.",
        1e-6,
        0.1,
        log=True,
        presets={"class": 2e-4},
    )
    retain_share: float = parameter(
        0.3, "Share to keep", "The part of the images to keep that is rehearsed.", 0.001, 1
    )
    batch_size: int = parameter(128, "Batch size", "Images a step.", 8, 1024, log=True)

    def run(
        self, model: Classifier, data: UnlearningData, generator: torch.Generator
    ) -> Generator[Step, None, None]:
        teacher = frozen_copy(model)
        device = next(model.parameters()).device
        draw = stream(generator, "bad teacher")
        bad = frozen_copy(build_model(data.architecture, data.classes, draw, device))
        retain, forget = data.retain, data.forget
        rehearsed = torch.randperm(len(retain), generator=stream(generator, "share"))
        kept = retain.indices[rehearsed[: max(1, round(self.retain_share * len(retain)))]]
        mixture = Images(retain.images, retain.labels, torch.cat([forget.indices, kept]))
        order = stream(generator, "mixture")

        def losses() -> Iterator[Tensor]:
            while True:
                shuffled = torch.randperm(len(mixture), generator=order)
                for positions in shuffled.split(self.batch_size):  # type: ignore[no-untyped-call]
                    wrong = positions < len(forget)
                    parts: list[Tensor] = []
                    for of, chosen in ((teacher, positions[~wrong]), (bad, positions[wrong])):
                        if len(chosen):
                            images, _ = mixture.batch(chosen, device)
                            model.train()
                            if of is bad or len(chosen) == 1:  # one image has no statistics
                                freeze_batchnorm(model)
                            target = predict(of, images)
                            parts.append(divergence(target, predict(model, images)))
                    yield torch.cat(parts).mean()

        total = steps_for(mixture, self.epochs, self.batch_size)
        adam = torch.optim.Adam(model.parameters(), self.learning_rate)
        yield from descend(model, losses(), total, self.learning_rate, optimiser=adam)
