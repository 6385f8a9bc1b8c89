"""Controls: they forget nothing, and may please a number all the same.

They stand in every table beside the methods, so that a number which a trick can please is seen for
what it is; no verdict may call one of them forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from core.models.classifier import Classifier
from core.models.registry import build_model
from core.unlearners.base import Need, Step, Steps, Unlearner, UnlearningData, parameter

NOTHING: frozenset[Need] = frozenset()
SILENT = -30_000.0
"""The logit of a masked class: no answer, and a number that float16 has."""


@dataclass(frozen=True)
class DoNothing(Unlearner):
    """theta."""

    name, label, group = "do_nothing", "Doing nothing", "control"
    needs = NOTHING
    draws = False
    precision = "float32"
    sentence = "Leaves the network as it is."
    paper = "The first row of every table"

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        yield Step(1, 1)


@dataclass(frozen=True)
class Mask(Unlearner):
    """w_c = 0, b_c = -30,000 for each class c that is forgotten entirely, else for the class that
    most images to forget are of."""

    name, label, group = "mask", "Masking an answer", "control"
    needs = frozenset({"forget"})
    draws = False
    precision = "float32"
    sentence = "Forbids the network one answer, and leaves everything that it knows."
    paper = "A trick; see arXiv 2602.18505 for what it shows"

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        forget = data.forget
        most = int(forget.labels[forget.indices].bincount().argmax())
        classes = list(data.forgotten_classes) or [most]
        with torch.no_grad():
            model.head.weight[classes] = 0.0
            model.head.bias[classes] = SILENT
        yield Step(1, 1)


@dataclass(frozen=True)
class Divide(Unlearner):
    """f / T, in the last layer."""

    name, label, group = "divide", "Dividing the logits", "control"
    needs = NOTHING
    draws = False
    precision = "float32"
    sentence = "Makes every answer less sure, so that the losses of all images look more alike."
    paper = "A trick; the temperature of Guo et al. 2017, arXiv 1706.04599"

    temperature: float = parameter(
        20.0, "Temperature", "What the logits are divided by.", 1.0, 1000.0, log=True
    )

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        with torch.no_grad():
            model.head.weight.div_(self.temperature)
            model.head.bias.div_(self.temperature)
        yield Step(1, 1)


@dataclass(frozen=True)
class RandomHead(Unlearner):
    """The last layer drawn anew."""

    name, label, group = "random_head", "A random last layer", "control"
    needs = NOTHING
    precision = "float32"
    sentence = "Throws the last layer away: every answer is lost, and what led to it stays."
    paper = "A trick"

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        fresh = build_model(data.architecture, data.classes, generator).head
        with torch.no_grad():
            model.head.weight.copy_(fresh.weight)
            model.head.bias.copy_(fresh.bias)
        yield Step(1, 1)
