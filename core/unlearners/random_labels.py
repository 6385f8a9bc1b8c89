"""Relabelling: the forget images are trained with labels drawn at random, the retain images with
their own, so that the network unlearns what it knew of the first and keeps the second.

Each image to forget draws one label, once. The forget images never feed BatchNorm's running
statistics: those follow the retain set.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from core.data.images import Images
from core.models.classifier import Classifier
from core.unlearners.base import Step, Unlearner, UnlearningData, parameter
from core.unlearners.common.descent import (
    batches,
    cross_entropy,
    descend,
    freeze_batchnorm,
    steps_for,
    stream,
)


def any_label(part: Images, classes: int, generator: torch.Generator) -> Images:
    """The same images, each with a label drawn evenly from all classes, its own among them."""
    return _with(part, torch.randint(classes, (len(part),), generator=stream(generator, "labels")))


def wrong_label(part: Images, classes: int, generator: torch.Generator) -> Images:
    """The same images, each with a label drawn evenly from all classes but its own."""
    turn = torch.randint(1, classes, (len(part),), generator=stream(generator, "labels"))
    return _with(part, (part.labels[part.indices] + turn) % classes)


def _with(part: Images, drawn: Tensor) -> Images:
    labels = part.labels.clone()
    labels[part.indices] = drawn
    return dataclasses.replace(part, labels=labels)


@dataclass(frozen=True)
class RandomLabels(Unlearner):
    """Rounds of theta <- theta - eta grad CE(F, y'), one pass with y' ~ U{1 .. K} drawn once an
    image, then theta <- theta - eta grad CE(R); eta along one cosine to 0 over all rounds."""

    name = "random_labels"
    label = "Random labels"
    group = "retrain-like"
    needs = frozenset({"retain", "forget"})
    sentence = (
        "Teaches made-up labels for the images to forget, then rehearses the others: quick, but "
        "an image that was taught a wrong answer can stand out."
    )
    paper = "Golatkar et al., CVPR 2020, arXiv 1911.04933 (as a baseline)"

    epochs: int = parameter(
        2,
        "Rounds",
        "How often each image to forget is seen; after each pass the others are rehearsed.",
        1,
        50,
        log=True,
        presets={"digits": 3},
    )
    rehearsal: float = parameter(
        0.2,
        "Rehearsal",
        "How much of the images to keep is seen after each pass, 1 for all of them.",
        0.01,
        5,
        log=True,
        presets={"digits": 1.0},
    )
    learning_rate: float = parameter(
        0.02,
        "Learning rate",
        "How far each step moves: larger forgets more and costs accuracy.",
        1e-5,
        1.0,
        log=True,
        presets={"class": 3e-3},
    )
    momentum: float = parameter(0.9, "Momentum", "How much of the last step carries on.", 0, 0.99)
    batch_size: int = parameter(
        128, "Batch size", "Images a step.", 8, 1024, log=True, presets={"digits": 32}
    )

    def losses(
        self, model: Classifier, data: UnlearningData, generator: torch.Generator
    ) -> tuple[Iterator[Tensor], int]:
        """The losses of all rounds in their order, and how many they are."""
        relabelled = any_label(data.forget, data.classes, generator)
        forget = batches(relabelled, "forget", self.batch_size, generator, model)
        retain = batches(data.retain, "retain", self.batch_size, generator, model)
        impairing = data.forget.steps(self.batch_size)
        rehearsing = steps_for(data.retain, self.rehearsal, self.batch_size)

        def rounds() -> Iterator[Tensor]:
            while True:
                model.train()
                freeze_batchnorm(model)
                for _ in range(impairing):
                    yield cross_entropy(model, *next(forget))
                model.train()
                for _ in range(rehearsing):
                    yield cross_entropy(model, *next(retain))

        return rounds(), self.epochs * (impairing + rehearsing)

    def run(
        self, model: Classifier, data: UnlearningData, generator: torch.Generator
    ) -> Generator[Step, None, None]:
        losses, total = self.losses(model, data, generator)
        yield from descend(model, losses, total, self.learning_rate, self.momentum)


@dataclass(frozen=True)
class Amnesiac(Unlearner):
    """Adam on the mean cross-entropy of the relabelled training set, (n_F CE(F, y') + n_R CE(R)) /
    N, y' drawn evenly from the labels that an image does not have.

    The first of the paper's two methods; its second subtracts training updates that nobody stored
    here. There the two sets are shuffled into one; here each step takes a batch of either and
    weighs it by its set's share, the same loss on average, so that a pass over F need not be a pass
    over R.
    """

    name = "amnesiac"
    label = "Amnesiac (wrong labels)"
    group = "retrain-like"
    needs = frozenset({"retain", "forget"})
    sentence = (
        "Goes on training with a wrong label on every image to forget and the right ones on the "
        "others: quick, but such images can end up more wrong than ones never seen."
    )
    paper = "Graves et al., AAAI 2021, arXiv 2010.10981"

    epochs: float = parameter(
        2.8,
        "Passes",
        "How often each image to forget is seen.",
        0.01,
        50,
        log=True,
        presets={"digits": 10.0},
    )
    learning_rate: float = parameter(
        1e-4,
        "Learning rate",
        "How far each of Adam's steps moves a weight: larger forgets more and costs accuracy.",
        1e-6,
        0.1,
        log=True,
        presets={"class": 4e-4, "digits": 5e-4},
    )
    batch_size: int = parameter(
        128, "Batch size", "Images of each kind a step.", 8, 1024, log=True, presets={"digits": 32}
    )

    def run(
        self, model: Classifier, data: UnlearningData, generator: torch.Generator
    ) -> Generator[Step, None, None]:
        relabelled = wrong_label(data.forget, data.classes, generator)
        forget = batches(relabelled, "forget", self.batch_size, generator, model)
        retain = batches(data.retain, "retain", self.batch_size, generator, model)
        share = len(data.forget) / (len(data.forget) + len(data.retain))

        def losses() -> Iterator[Tensor]:
            while True:
                model.train()
                loss = (1 - share) * cross_entropy(model, *next(retain))
                freeze_batchnorm(model)
                yield loss + share * cross_entropy(model, *next(forget))

        total = steps_for(data.forget, self.epochs, self.batch_size)
        adam = torch.optim.Adam(model.parameters(), self.learning_rate, fused=False)
        yield from descend(model, losses(), total, self.learning_rate, optimiser=adam)
