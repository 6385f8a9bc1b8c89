"""Relabelling: the forget images are trained with labels drawn at random, the retain images with
their own, so that the network unlearns what it knew of the first and keeps the second.

Each image to forget draws one label, once. The forget images never feed BatchNorm's running
statistics: those follow the retain set.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from core.data.images import Images
from core.models.classifier import Classifier
from core.unlearners.base import UnlearningData, parameter
from core.unlearners.common.descent import AdamDescent, Descent
from core.unlearners.common.draw import Draw, steps_for, stream
from core.unlearners.common.losses import cross_entropy
from core.unlearners.common.networks import freeze_batchnorm
from core.unlearners.common.parameters import (
    OF_EACH_KIND,
    adam_rate,
    batch,
    passes,
    rehearsed,
    sgd_momentum,
    tuning_rate,
)


def any_label(part: Images, classes: int, generator: torch.Generator) -> Images:
    """The same images, each with a label drawn evenly from all classes, its own among them."""
    return _with(part, torch.randint(classes, (len(part),), generator=stream(generator, "labels")))


def wrong_label(part: Images, classes: int, generator: torch.Generator) -> Images:
    """The same images, each with a label drawn evenly from all classes but its own."""
    shift = torch.randint(1, classes, (len(part),), generator=stream(generator, "labels"))
    return _with(part, (part.labels[part.indices] + shift) % classes)


def _with(part: Images, new_labels: Tensor) -> Images:
    labels = part.labels.clone()
    labels[part.indices] = new_labels
    return dataclasses.replace(part, labels=labels)


@dataclass(frozen=True)
class RandomLabels(Descent):
    """Rounds of theta <- theta - eta grad CE(F, y'), one pass with y' ~ U{1 .. K} drawn once an
    image, then theta <- theta - eta grad CE(R); eta along one cosine to 0 over all rounds."""

    name, label, group = "random_labels", "Random labels", "retrain-like"
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
    )
    rehearsal: float = rehearsed(0.2, "after each pass")
    learning_rate: float = tuning_rate(0.02)
    momentum: float = sgd_momentum()
    batch_size: int = batch()

    def losses(self, model: Classifier, data: UnlearningData, draw: Draw) -> Iterator[Tensor]:
        relabelled = any_label(data.forget, data.classes, draw.generator)
        forget = draw.batches(relabelled, "forget", self.batch_size)
        retain = draw.batches(data.retain, "retain", self.batch_size)
        impairing, rehearsing = self._round(data)
        while True:
            freeze_batchnorm(model.train())
            for _ in range(impairing):
                yield cross_entropy(model, *next(forget))
            model.train()
            for _ in range(rehearsing):
                yield cross_entropy(model, *next(retain))

    def steps(self, data: UnlearningData) -> int:
        return self.epochs * sum(self._round(data))

    def _round(self, data: UnlearningData) -> tuple[int, int]:
        """The steps on relabelled and on retained images in each round."""
        rehearsing = steps_for(data.retain, self.rehearsal, self.batch_size)
        return data.forget.steps(self.batch_size), rehearsing


@dataclass(frozen=True)
class Amnesiac(AdamDescent):
    """Adam on the mean cross-entropy of the relabelled training set, (n_F CE(F, y') + n_R CE(R)) /
    N, y' drawn evenly from the labels that an image does not have.

    The first of the paper's two methods; its second subtracts training updates that nobody stored
    here. There the two sets are shuffled into one; here each step takes a batch of either and
    weighs it by its set's share, the same loss on average, so that a pass over F need not be a pass
    over R.
    """

    name, label, group = "amnesiac", "Amnesiac (wrong labels)", "retrain-like"
    needs = frozenset({"retain", "forget"})
    sentence = (
        "Goes on training with a wrong label on every image to forget and the right ones on the "
        "others: quick, but such images can end up more wrong than ones never seen."
    )
    paper = "Graves et al., AAAI 2021, arXiv 2010.10981"

    epochs: float = passes(2.8)
    learning_rate: float = adam_rate(
        1e-4, "How far each of Adam's steps moves a weight: larger forgets more and costs accuracy."
    )
    batch_size: int = batch(help=OF_EACH_KIND)

    def losses(self, model: Classifier, data: UnlearningData, draw: Draw) -> Iterator[Tensor]:
        relabelled = wrong_label(data.forget, data.classes, draw.generator)
        forget = draw.batches(relabelled, "forget", self.batch_size)
        retain = draw.batches(data.retain, "retain", self.batch_size)
        share = len(data.forget) / (len(data.forget) + len(data.retain))
        while True:
            model.train()
            loss = (1 - share) * cross_entropy(model, *next(retain))
            freeze_batchnorm(model)
            yield loss + share * cross_entropy(model, *next(forget))
