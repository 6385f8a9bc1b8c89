"""What probabilistic models make of every image, measured as networks are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import torch

from core.attacks.probabilities import log_probabilities
from core.data.splits import drawn
from core.evaluation import SAMPLED, measure, outcome_of
from core.graphical.model import Model, Rows
from core.graphical.registry import Sides
from core.graphical.task import ORDER, Task, Which
from core.metrics.evidence import Evidence, Outcome, Sample
from core.metrics.measures import Evaluation
from core.metrics.metric import Metric
from core.metrics.registry import METRICS

RESTARTS = 3
"""Retrainings from other seeds by which is known how far two of them lie apart, where the seed
decides in which maximum EM ends."""


def evaluations(
    task: Task, models: Mapping[Which, Model], metrics: Collection[Metric]
) -> dict[Which, Evaluation]:
    """Of each model; those before and after are compared with the retrained one where a metric
    asks for an ideal."""
    ideal = evidence_of(models["retrained"], task)
    found: dict[Which, Evaluation] = {}
    for which in ORDER:
        own = ideal if which == "retrained" else evidence_of(models[which], task, ideal=ideal)
        found[which] = measure(own, metrics)
    return found


def evidence_of(
    model: Model, task: Task, sides: Sides | None = None, ideal: Evidence | None = None
) -> Evidence:
    """What a model makes of every image. sides: other rows than the task's, as another network's
    features are."""
    sides = sides or task.sides
    train, test = (_outcome(model, rows) for rows in (sides.train, sides.test))
    chosen = {
        "forget": (sides.train, task.split.forget),
        "retain": (sides.train, task.split.retain),
        "test": (sides.test, task.split.test_fair),
        "test_retained": (sides.test, task.split.test_retained),
    }
    samples = {
        name: _sample(model, rows.at(drawn(indices, SAMPLED[name])))
        for name, (rows, indices) in chosen.items()
    }
    labels = sides.train.labels, sides.test.labels
    return Evidence(train, test, *labels, task.split, samples, ideal=ideal)


def _outcome(model: Model, rows: Rows) -> Outcome:
    """The posteriors' logarithms stand as logits: their largest is near 0, where float16 has the
    most digits."""
    logits = torch.from_numpy(log_probabilities(model.scores(rows.x)))
    found = outcome_of(logits, torch.from_numpy(rows.labels))
    return Outcome(found.losses.astype(np.float32), found.predictions, found.logits)


def _sample(model: Model, rows: Rows) -> Sample:
    return Sample(rows.labels, model.inside(rows.x))


def retrained_again(task: Task) -> tuple[Model, ...]:
    """Models retrained from `RESTARTS` other seeds than the task's."""
    seeds = range(task.seed + 1, task.seed + 1 + RESTARTS)
    return tuple(task.fit(task.retain, seed) for seed in seeds)


def between(retrained: Evaluation, again: Sequence[Model], task: Task) -> dict[str, float]:
    """By signal of the verdict, the standard deviation between the retrained model and these."""
    signals = [metric for metric in METRICS.values() if metric.signal]
    found = [retrained, *(measure(evidence_of(model, task), signals) for model in again)]
    spread = {
        metric.name: float(np.std([one.value(metric.name) for one in found], ddof=1))
        for metric in signals
    }
    return {name: value for name, value in spread.items() if np.isfinite(value)}
