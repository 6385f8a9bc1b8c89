"""Gradient ascent on the forget set, alone (NegGrad) or balanced by the retain set (NegGrad+).

BatchNorm keeps its running statistics, and normalises both sets by them. Were the retain set
normalised by its own batches instead, the ascent could grow weights that only the other way of
normalising sees: the retain loss would stay small while the network that is evaluated falls apart.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from core.models.classifier import Classifier
from core.unlearners.base import Step, Unlearner, UnlearningData, parameter
from core.unlearners.common.descent import (
    batches,
    cross_entropy,
    descend,
    freeze_batchnorm,
    steps_for,
)


@dataclass(frozen=True)
class NegGrad(Unlearner):
    """theta <- theta + eta grad CE(F)."""

    name = "neg_grad"
    label = "NegGrad (gradient ascent)"
    group = "forget-only"
    needs = frozenset({"forget"})
    sentence = (
        "Trains backwards: every step makes the images to forget look more wrong. Quick, needs "
        "no other data, and easily damages the rest."
    )
    paper = "Golatkar et al., CVPR 2020, arXiv 1911.04933 (as a baseline)"

    epochs: float = parameter(
        1.3,
        "Passes",
        "How often each image to forget is seen.",
        0.01,
        50,
        log=True,
        presets={"class": 2.0, "digits": 10.0},
    )
    learning_rate: float = parameter(
        6e-4,
        "Learning rate",
        "How far each step climbs: a little too much ruins the model.",
        1e-6,
        1.0,
        log=True,
        presets={"class": 1.4e-4, "digits": 0.0015},
    )
    momentum: float = parameter(0.9, "Momentum", "How much of the last step carries on.", 0, 0.99)
    batch_size: int = parameter(128, "Batch size", "Images a step.", 8, 1024, log=True)

    def run(
        self, model: Classifier, data: UnlearningData, generator: torch.Generator
    ) -> Generator[Step, None, None]:
        model.train()
        freeze_batchnorm(model)
        forget = batches(data.forget, "forget", self.batch_size, generator, model)
        losses = (-cross_entropy(model, x, y) for x, y in forget)
        total = steps_for(data.forget, self.epochs, self.batch_size)
        yield from descend(model, losses, total, self.learning_rate, self.momentum)


@dataclass(frozen=True)
class NegGradPlus(Unlearner):
    """theta <- theta - eta grad(beta CE(R) - (1 - beta) CE(F)), one batch of each a step.

    With beta 1 it is fine-tuning: BatchNorm then normalises by batches and its statistics follow.
    """

    name = "neg_grad_plus"
    label = "NegGrad+"
    group = "retrain-like"
    precision = "float32"  # tuned near its edge in it: a step too far ruins the model
    needs = frozenset({"retain", "forget"})
    sentence = (
        "Trains backwards on the images to forget and forwards on the others at the same time, "
        "so that the damage is repaired on the way."
    )
    paper = "Kurmanji et al., NeurIPS 2023, arXiv 2302.09880"

    epochs: float = parameter(
        2.6,
        "Passes",
        "How often each image to forget is seen.",
        0.01,
        50,
        log=True,
        presets={"digits": 40.0},
    )
    learning_rate: float = parameter(
        0.01,
        "Learning rate",
        "How far each step moves.",
        1e-5,
        1.0,
        log=True,
        presets={"class": 0.006, "digits": 0.008},
    )
    beta: float = parameter(
        0.95,
        "Balance",
        "1 only keeps, 0 only forgets; most of the weight is on keeping.",
        0,
        1,
        presets={"class": 0.98, "digits": 0.98},
    )
    momentum: float = parameter(0.9, "Momentum", "How much of the last step carries on.", 0, 0.99)
    batch_size: int = parameter(128, "Batch size", "Images of each kind a step.", 8, 1024, log=True)

    def run(
        self, model: Classifier, data: UnlearningData, generator: torch.Generator
    ) -> Generator[Step, None, None]:
        retain = batches(data.retain, "retain", self.batch_size, generator, model)
        forget = batches(data.forget, "forget", self.batch_size, generator, model)

        model.train()
        if self.beta < 1:
            freeze_batchnorm(model)

        def losses() -> Iterator[Tensor]:
            while True:
                loss = torch.zeros(())
                if self.beta > 0:
                    loss = self.beta * cross_entropy(model, *next(retain))
                if self.beta < 1:
                    loss = loss - (1 - self.beta) * cross_entropy(model, *next(forget))
                yield loss

        total = steps_for(data.forget, self.epochs, self.batch_size)
        yield from descend(model, losses(), total, self.learning_rate, self.momentum)
