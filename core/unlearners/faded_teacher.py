"""Faded teacher: on the images to forget the network learns what it would say of them if it
remembered less, from a copy of itself that was fine-tuned until they faded.

A method of this project. Fine-tuning at a high rate makes a network answer the forget images as it
answers images that it never saw, and costs accuracy on all others: so its answers are kept and the
copy is thrown away. Both are trained in their last blocks alone, where images are remembered, which
leaves time for more of the images to keep. Learning from a teacher that does not know the forget
set follows Bad Teacher (Chundawat et al., AAAI 2023, arXiv 2205.08096), whose teacher knows nothing
at all; holding on to what a network does by its answers on augmented images follows Beyer et al.,
CVPR 2022, arXiv 2106.05237.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from core.models.classifier import Classifier
from core.training.augmentation import augment
from core.unlearners.base import Steps, UnlearningData, parameter
from core.unlearners.common.descent import Descent, Phase, descend, in_phases
from core.unlearners.common.draw import Draw, in_order
from core.unlearners.common.losses import divergence, logits
from core.unlearners.common.networks import device_of, frozen_copy, training_last
from core.unlearners.common.parameters import batch, passes, rate, sgd_momentum, trained_blocks
from core.unlearners.last_layers import CFk


@dataclass(frozen=True)
class FadedTeacher(Descent):
    """T = `CFk` of a copy of theta0; then theta_k <- theta_k - eta grad (mean over R of
    KL_t(theta0(x') || theta(x')) + mean over F of KL(T(x) || theta(x))), x' = x cropped and
    mirrored, t the temperature, theta_k the parameters of the last k blocks.

    A step takes a batch of either set through the network together: what a forget image is taught
    then holds under the BatchNorm statistics of all images, even where F is one class. So the
    running statistics see F too, and the weights answer for what is remembered.
    """

    name, label, group = "faded_teacher", "Faded teacher", "teacher-student"
    needs = frozenset({"retain", "forget"})
    sentence = (
        "Lets a copy of the model forget by training hard on the images to keep, then teaches the "
        "model itself what that copy says of the images to forget: the copy's damage stays behind."
    )
    paper = "This project; after Chundawat et al., AAAI 2023, arXiv 2205.08096"

    blocks: int = trained_blocks(3)
    fading: float = parameter(
        0.22,
        "Fading",
        "How much of the images to keep the copy is trained on: more forgets more.",
        0.01,
        50,
        log=True,
    )
    fading_rate: float = rate(
        0.33,
        "How far each step of the copy moves: larger forgets more and makes it a worse teacher.",
        label="Fading rate",
    )
    epochs: float = passes(1.4)
    learning_rate: float = rate(0.035, "How far each step of the model itself moves.")
    temperature: float = parameter(
        4.0,
        "Temperature",
        "Higher holds on more to the model's unlikely answers on the images to keep.",
        0.1,
        20,
    )
    momentum: float = sgd_momentum()
    kept_per_forgotten: float = parameter(
        1.4,
        "Images to keep for each to forget",
        "How many of them a step sees: more keeps more accuracy and takes longer.",
        0.1,
        10,
        log=True,
    )
    batch_size: int = batch(help="Images to forget a step.")

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        draw = Draw(generator, device_of(model))
        original, faded = frozen_copy(model), copy.deepcopy(model)
        cf_k = CFk(self.blocks, self.fading, self.fading_rate, self.momentum, self.batch_size)
        answers = torch.zeros(len(data.forget), data.classes)
        total = self.steps(data)

        def asking() -> Iterator[None]:
            faded.eval()
            for positions in in_order(data.forget, self.batch_size):
                with torch.no_grad():
                    x, _ = data.forget.batch(positions, draw.device)
                    answers[positions] = logits(faded, x).cpu()
                yield None

        def learning() -> Iterator[float]:
            with training_last(model, self.blocks):
                losses = self.taught(model, original, answers, data, draw)
                yield from descend(self.optimiser(model), losses, total)

        yield from in_phases(
            Phase("fading a copy", cf_k.steps(data), cf_k.descent(faded, data, draw)),
            Phase("asking the copy", data.forget.steps(self.batch_size), asking()),
            Phase("unlearning", total, learning()),
        )

    def taught(
        self,
        model: Classifier,
        original: Classifier,
        answers: Tensor,
        data: UnlearningData,
        draw: Draw,
    ) -> Iterator[Tensor]:
        """answers: T's logits of every image of F."""
        crop_generator = draw.stream("augmentation")
        retain_batch_size = max(1, round(self.kept_per_forgotten * self.batch_size))
        retain = draw.batches(data.retain, "rehearsal", retain_batch_size)
        for positions in data.forget.shuffled_positions(self.batch_size, draw.stream("forget")):
            augmented = augment(next(retain)[0], data.recipe.crop, crop_generator)
            with torch.no_grad():
                targets = logits(original, augmented)
            forget, _ = data.forget.batch(positions, draw.device)
            outputs = logits(model, torch.cat([augmented, forget]))
            retain_loss = divergence(targets, outputs[: len(augmented)], self.temperature)
            forget_loss = divergence(answers[positions].to(draw.device), outputs[len(augmented) :])
            yield retain_loss.mean() + forget_loss.mean()
