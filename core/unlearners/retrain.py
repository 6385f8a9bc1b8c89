"""Retraining from scratch without the forget set: the gold standard, and the slowest way."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from core.models.classifier import Classifier
from core.training.loop import TrainingProgress, train
from core.unlearners.base import Step, Steps, Unlearner, UnlearningData


@dataclass(frozen=True)
class Retrain(Unlearner):
    """Trains a new network on the retain set with the recipe of the original. It has no
    settings: another recipe would give another model, not this one without the forget set."""

    name, label, group = "retrain", "Retrain from scratch", "exact"
    needs = frozenset({"retain"})
    sentence = (
        "Throws the model away and trains a new one that never sees the images to forget: "
        "the ideal that every faster method is compared with."
    )
    paper = "The definition of exact unlearning: Cao & Yang, IEEE S&P 2015; Bourtoule et al. 2021"

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        # The run's own seed, as `core train --seed` takes it: the same seed gives the same model.
        seed = generator.initial_seed()
        for progress in train(
            data.architecture,
            data.retain,
            data.recipe,
            seed,
            classes=data.classes,
            device=next(model.parameters()).device,
            into=model,
        ):
            if isinstance(progress, TrainingProgress):
                yield Step(progress.step, progress.total_steps, progress.loss, "retraining")
