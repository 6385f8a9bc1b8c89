"""A probabilistic model forgets: before, after and retrained, what each makes of every image, and
the verdict that a network would get."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import torch

from core.attacks.probabilities import log_probabilities
from core.data.dataset import ImageDataset
from core.data.splits import Indices, Split, drawn
from core.evaluation import SAMPLED, measure, outcome_of
from core.graphical.hidden import HiddenModel
from core.graphical.methods import Method
from core.graphical.model import Model, Rows
from core.graphical.registry import Sides
from core.metrics.evidence import Evidence, Outcome, Sample
from core.metrics.measures import Evaluation
from core.metrics.metric import Metric
from core.metrics.registry import METRICS
from core.verdict import Verdict, judge

RESTARTS = 5
"""Retrainings from other seeds by which is known how far two of them lie apart, where the seed
decides in which maximum EM ends."""
Which = Literal["before", "after", "retrained"]
Tick = Callable[[str], None]
Made = TypeVar("Made")


def silent(phase: str) -> None:
    """Tells nobody what is being done."""


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be forgotten by which model, and how. seed: of the training and the method."""

    model: type[Model]
    method: Method
    dataset: ImageDataset
    sides: Sides
    split: Split
    seed: int = 0

    @property
    def forget(self) -> Rows:
        return self.sides.train.at(self.split.forget)

    @property
    def retain(self) -> Rows:
        return self.sides.train.at(self.split.retain)

    def fit(self, rows: Rows, seed: int | None = None) -> Model:
        """A model of these rows. seed: by default the task's."""
        classes = len(self.dataset.class_names)
        return _ready(self.model.fit(rows, classes, self.seed if seed is None else seed))


def _ready(model: Model) -> Model:
    """The same model, with all its parameters computed: a tree is part of what takes time."""
    assert model.parameters
    return model


@dataclass(frozen=True, eq=False)
class Forgotten:
    """The three models and what was measured of each.

    exact: whether the model after is the retrained one, bit for bit. spread: by signal, the
    standard deviation between retrainings from other seeds; empty where there is one minimum.
    seconds: of "training", "unlearning", "retraining", "measuring" and "retraining again", for the
    spread.
    """

    task: Task
    models: Mapping[Which, Model]
    measured: Mapping[Which, Evaluation]
    spread: Mapping[str, float]
    seconds: Mapping[str, float]

    @property
    def exact(self) -> bool:
        return self.models["after"].same(self.models["retrained"])

    @property
    def verdict(self) -> Verdict | None:
        """As for networks, by the same signals; but what is bit for bit the model that never saw
        the forget set has forgotten it, and no number of images is too few to say so."""
        before, after, ideal = (self.measured[which] for which in ORDER)
        found = judge(before, after, ideal, self.spread)
        if found is None or not self.exact:
            return found
        return Verdict("forgotten", 1.0, "", (), found.signals)


ORDER: tuple[Which, ...] = ("before", "after", "retrained")


def forget(
    task: Task,
    before: Model | None = None,
    metrics: Collection[Metric] = tuple(METRICS.values()),
    tick: Tick = silent,
) -> Forgotten:
    """Trains (unless `before` is given), unlearns, retrains and measures. tick: told of each
    phase; what it raises ends the work. Raises what the method raises."""
    clock = _Clock(tick)
    if before is None:
        before = clock.timed("training", lambda: task.fit(task.sides.train))
    retain = task.retain
    rows = task.forget
    after = clock.timed(
        "unlearning", lambda: _ready(task.method.forget(before, rows, retain, task.seed))
    )
    retrained = clock.timed("retraining", lambda: task.fit(retain))
    models: dict[Which, Model] = {"before": before, "after": after, "retrained": retrained}
    measured = clock.timed("measuring", lambda: evaluations(task, models, metrics))
    spread: dict[str, float] = {}
    if issubclass(task.model, HiddenModel):
        spread = clock.timed("retraining again", lambda: between_retrainings(task))
    return Forgotten(task, models, measured, spread, clock.seconds)


class _Clock:
    """seconds: by phase, what its parts took together."""

    def __init__(self, tick: Tick) -> None:
        self.seconds: dict[str, float] = {}
        self._tick = tick

    def timed(self, phase: str, work: Callable[[], Made]) -> Made:
        self._tick(phase)
        began = time.perf_counter()
        found = work()
        self.seconds[phase] = self.seconds.get(phase, 0.0) + time.perf_counter() - began
        return found


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


def between_retrainings(task: Task) -> dict[str, float]:
    """By signal of the verdict, the standard deviation between models retrained from `RESTARTS`
    other seeds than the task's."""
    signals = [metric for metric in METRICS.values() if metric.signal]
    values: dict[str, list[float]] = {metric.name: [] for metric in signals}
    for seed in range(task.seed + 1, task.seed + 1 + RESTARTS):
        found = measure(evidence_of(task.fit(task.retain, seed), task), signals)
        for name, known in values.items():
            known.append(found.value(name))
    spread = {name: float(np.std(known, ddof=1)) for name, known in values.items()}
    return {name: value for name, value in spread.items() if np.isfinite(value)}


def moved(first: HiddenModel, second: HiddenModel, rows: Rows) -> int:
    """How many of these images have another likeliest hidden state at some step, where states are
    called alike: each state of the second by the one of the first that it most overlaps with."""
    ours, its = first.states(rows), second.states(rows)
    changed = np.zeros(len(rows), bool)
    for c in np.unique(rows.labels):
        mine = rows.labels == c
        changed[mine] = _renamed(ours[mine], its[mine], first.STATES)
    return int(changed.sum())


def _renamed(first: Indices, second: Indices, states: int) -> Indices:
    from scipy.optimize import linear_sum_assignment

    overlap = np.zeros((states, states), np.int64)
    np.add.at(overlap, (second.ravel(), first.ravel()), 1)
    _, named = linear_sum_assignment(-overlap)
    return np.asarray((named[second] != first).any(1))
