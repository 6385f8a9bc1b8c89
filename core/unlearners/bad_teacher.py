"""Bad Teacher: two frozen teachers, the original network and one that knows nothing.

With T the original, D a network with random weights and S the student, which starts as T:
minimise the mean over a mixture of all of F and a share of R of KL(T(x) || S(x)) where x is in R
and KL(D(x) || S(x)) where x is in F.

Here the forget images pass through BatchNorm's running statistics and leave them alone, while the
retain images feed them; in the paper both pass as one batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from core.models.classifier import Classifier
from core.models.registry import build_model
from core.unlearners.base import UnlearningData, parameter
from core.unlearners.common.descent import AdamDescent
from core.unlearners.common.draw import Draw, share_of, together
from core.unlearners.common.losses import divergence, logits
from core.unlearners.common.networks import freeze_batchnorm, frozen_copy
from core.unlearners.common.parameters import adam_rate, batch, passes


@dataclass(frozen=True)
class BadTeacher(AdamDescent):
    """Adam on the mean over the mixture of KL(T || S) on R and KL(D || S) on F."""

    name, label, group = "bad_teacher", "Bad Teacher", "teacher-student"
    needs = frozenset({"retain", "forget"})
    sentence = (
        "Learns from two teachers: on the images to keep from the original model, on those to "
        "forget from one that knows nothing, so that its answers there turn to guesses."
    )
    paper = "Chundawat et al., AAAI 2023, arXiv 2205.08096"

    epochs: float = passes(
        1.0, "How often each image to forget, and each of the share to keep, is seen."
    )
    learning_rate: float = adam_rate(1e-4, "How far each step of Adam moves.")
    retain_share: float = parameter(
        0.3, "Share to keep", "The part of the images to keep that is rehearsed.", 0.001, 1
    )
    batch_size: int = batch()

    def losses(self, model: Classifier, data: UnlearningData, draw: Draw) -> Iterator[Tensor]:
        knowing = frozen_copy(model)
        generator = draw.stream("bad teacher")
        ignorant = frozen_copy(build_model(data.architecture, data.classes, generator, draw.device))
        retain_sample = draw.sample(data.retain, share_of(data.retain, self.retain_share), "share")
        mixture = together(data.forget, retain_sample)
        for mixed in mixture.shuffled_positions(self.batch_size, draw.stream("mixture")):
            of_forget = mixed < len(data.forget)
            parts: list[Tensor] = []
            for teacher, positions in ((knowing, mixed[~of_forget]), (ignorant, mixed[of_forget])):
                if len(positions):
                    x, _ = mixture.batch(positions, draw.device)
                    model.train()
                    if teacher is ignorant or len(positions) == 1:  # one image has no statistics
                        freeze_batchnorm(model)
                    parts.append(divergence(logits(teacher, x), logits(model, x)))
            yield torch.cat(parts).mean()

    def steps(self, data: UnlearningData) -> int:
        mixture = len(data.forget) + share_of(data.retain, self.retain_share)
        return max(1, round(self.epochs * -(-mixture // self.batch_size)))
