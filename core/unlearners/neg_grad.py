"""Gradient ascent on the forget set, alone (NegGrad) or balanced by the retain set (NegGrad+).

BatchNorm keeps its running statistics, and normalises both sets by them. Were the retain set
normalised by its own batches instead, the ascent could grow weights that only the other way of
normalising sees: the retain loss would stay small while the network that is evaluated falls apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from core.models.classifier import Classifier
from core.unlearners.base import UnlearningData, parameter
from core.unlearners.common.descent import Descent
from core.unlearners.common.draw import Draw
from core.unlearners.common.losses import cross_entropy
from core.unlearners.common.networks import freeze_batchnorm
from core.unlearners.common.parameters import OF_EACH_KIND, batch, passes, rate, sgd_momentum


@dataclass(frozen=True)
class NegGrad(Descent):
    """theta <- theta + eta grad CE(F)."""

    name, label, group = "neg_grad", "NegGrad (gradient ascent)", "forget-only"
    needs = frozenset({"forget"})
    sentence = (
        "Trains backwards: every step makes the images to forget look more wrong. Quick, needs "
        "no other data, and easily damages the rest."
    )
    paper = "Golatkar et al., CVPR 2020, arXiv 1911.04933 (as a baseline)"

    epochs: float = passes(1.3)
    learning_rate: float = rate(
        6e-4, "How far each step climbs: a little too much ruins the model.", low=1e-6
    )
    momentum: float = sgd_momentum()
    batch_size: int = batch()

    def losses(self, model: Classifier, data: UnlearningData, draw: Draw) -> Iterator[Tensor]:
        freeze_batchnorm(model.train())
        for x, y in draw.batches(data.forget, "forget", self.batch_size):
            yield -cross_entropy(model, x, y)


@dataclass(frozen=True)
class NegGradPlus(Descent):
    """theta <- theta - eta grad(beta CE(R) - (1 - beta) CE(F)), one batch of each a step. With
    beta 1 it is fine-tuning: BatchNorm then normalises by batches and its statistics follow."""

    name, label, group = "neg_grad_plus", "NegGrad+", "retrain-like"
    precision = "float32"  # tuned near its edge in it: a step too far ruins the model
    needs = frozenset({"retain", "forget"})
    sentence = (
        "Trains backwards on the images to forget and forwards on the others at the same time, "
        "so that the damage is repaired on the way."
    )
    paper = "Kurmanji et al., NeurIPS 2023, arXiv 2302.09880"

    epochs: float = passes(2.6)
    learning_rate: float = rate(0.01)
    beta: float = parameter(
        0.95, "Balance", "1 only keeps, 0 only forgets; most of the weight is on keeping.", 0, 1
    )
    momentum: float = sgd_momentum()
    batch_size: int = batch(help=OF_EACH_KIND)

    def losses(self, model: Classifier, data: UnlearningData, draw: Draw) -> Iterator[Tensor]:
        retain = draw.batches(data.retain, "retain", self.batch_size)
        forget = draw.batches(data.forget, "forget", self.batch_size)
        model.train()
        if self.beta < 1:
            freeze_batchnorm(model)
        while True:
            loss = torch.zeros(())
            if self.beta > 0:
                loss = self.beta * cross_entropy(model, *next(retain))
            if self.beta < 1:
                loss = loss - (1 - self.beta) * cross_entropy(model, *next(forget))
            yield loss
