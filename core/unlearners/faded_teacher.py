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
import dataclasses
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from core.models.classifier import Classifier
from core.training.augmentation import augment
from core.unlearners.bad_teacher import divergence, frozen_copy, predict
from core.unlearners.base import Step, Unlearner, UnlearningData, parameter
from core.unlearners.common.descent import batches, descend, in_phases, steps_for, stream
from core.unlearners.last_layers import CFk, block_count, training_last


@dataclass(frozen=True)
class FadedTeacher(Unlearner):
    """T = `CFk` of a copy of theta0; then theta_k <- theta_k - eta grad (mean over R of
    KL_t(theta0(x') || theta(x')) + mean over F of KL(T(x) || theta(x))), x' = x cropped and
    mirrored, t the temperature, theta_k the parameters of the last k blocks.

    A step takes a batch of either set through the network together: what a forget image is taught
    then holds under the BatchNorm statistics of all images, even where F is one class. So the
    running statistics see F too, and the weights answer for what is remembered.
    """

    name = "faded_teacher"
    label = "Faded teacher"
    group = "teacher-student"
    needs = frozenset({"retain", "forget"})
    sentence = (
        "Lets a copy of the model forget by training hard on the images to keep, then teaches the "
        "model itself what that copy says of the images to forget: the copy's damage stays behind."
    )
    paper = "This project; after Chundawat et al., AAAI 2023, arXiv 2205.08096"

    blocks: int = block_count(3)
    fading: float = parameter(
        0.22,
        "Fading",
        "How much of the images to keep the copy is trained on: more forgets more.",
        0.01,
        50,
        log=True,
        presets={"digits": 4.0},
    )
    fading_rate: float = parameter(
        0.33,
        "Fading rate",
        "How far each step of the copy moves: larger forgets more and makes it a worse teacher.",
        1e-5,
        1.0,
        log=True,
    )
    epochs: float = parameter(
        1.4,
        "Passes",
        "How often each image to forget is seen.",
        0.01,
        50,
        log=True,
        presets={"digits": 6.0},
    )
    learning_rate: float = parameter(
        0.035,
        "Learning rate",
        "How far each step of the model itself moves.",
        1e-5,
        1.0,
        log=True,
    )
    temperature: float = parameter(
        4.0,
        "Temperature",
        "Higher holds on more to the model's unlikely answers on the images to keep.",
        0.1,
        20,
    )
    momentum: float = parameter(0.9, "Momentum", "How much of the last step carries on.", 0, 0.99)
    kept_per_forgotten: float = parameter(
        1.4,
        "Images to keep for each to forget",
        "How many of them a step sees: more keeps more accuracy and takes longer.",
        0.1,
        10,
        log=True,
    )
    batch_size: int = parameter(
        128, "Batch size", "Images to forget a step.", 8, 1024, log=True, presets={"digits": 32}
    )

    def run(
        self, model: Classifier, data: UnlearningData, generator: torch.Generator
    ) -> Generator[Step, None, None]:
        forget = data.forget
        device = next(model.parameters()).device
        original, teacher = frozen_copy(model), copy.deepcopy(model)
        cf_k = CFk(self.blocks, self.fading, self.fading_rate, self.momentum, self.batch_size)
        answers = torch.zeros(len(forget), data.classes)

        def fading() -> Iterator[Step]:
            for step in cf_k.run(teacher, data, generator):
                yield dataclasses.replace(step, phase="fading a copy")

        def asking() -> Iterator[Step]:
            teacher.eval()
            positions = torch.arange(len(forget)).split(self.batch_size)  # type: ignore[no-untyped-call]
            for done, some in enumerate(positions, 1):
                with torch.no_grad():
                    answers[some] = predict(teacher, forget.batch(some, device)[0]).cpu()
                yield Step(done, 0, phase="asking the copy")

        def losses() -> Iterator[Tensor]:
            order, draws = stream(generator, "forget"), stream(generator, "augmentation")
            beside = max(1, round(self.kept_per_forgotten * self.batch_size))
            retain = batches(data.retain, "rehearsal", beside, generator, model)
            for some in forget.shuffled_positions(self.batch_size, order):
                kept = augment(next(retain)[0], data.recipe.crop, draws)
                with torch.no_grad():
                    own = predict(original, kept)
                faded = answers[some].to(device)
                logits = predict(model, torch.cat([kept, forget.batch(some, device)[0]]))
                held = divergence(own, logits[: len(kept)], self.temperature)
                yield held.mean() + divergence(faded, logits[len(kept) :]).mean()

        def learning() -> Iterator[Step]:
            with training_last(model, self.blocks):
                yield from descend(model, losses(), total, self.learning_rate, self.momentum)

        total = steps_for(forget, self.epochs, self.batch_size)
        yield from in_phases(
            (steps_for(data.retain, self.fading, self.batch_size), fading()),
            (forget.steps(self.batch_size), asking()),
            (total, learning()),
        )
