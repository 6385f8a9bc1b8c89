"""A probabilistic model forgets: before, after and retrained, what each makes of every image, and
the verdict that a network would get."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TypeVar

from core.graphical.comparing import TreePair
from core.graphical.hidden import HiddenModel
from core.graphical.measuring import between, evaluations, retrained_again
from core.graphical.model import CountedModel, Model
from core.graphical.task import ORDER, Task, Which, ready
from core.graphical.trees import TreeAugmented, Trees
from core.metrics.measures import Evaluation
from core.metrics.metric import Metric
from core.metrics.registry import METRICS
from core.verdict import Verdict, judge

Tick = Callable[[str], None]
Made = TypeVar("Made")


def silent(phase: str) -> None:
    """Tells nobody what is being done."""


@dataclass(frozen=True, eq=False)
class Forgotten:
    """The three models and what was measured of each.

    again: retrained from other seeds, where the seed decides in which maximum EM ends. spread: by
    signal, the standard deviation between these; empty where there are none. seconds: of
    "training", "unlearning", "retraining", "measuring" and "retraining again".
    """

    task: Task
    models: Mapping[Which, Model]
    measured: Mapping[Which, Evaluation]
    again: tuple[Model, ...]
    spread: Mapping[str, float]
    seconds: Mapping[str, float]

    @property
    def exact(self) -> bool:
        """Whether the model after is the retrained one, bit for bit."""
        return self.models["after"].same(self.models["retrained"])

    @property
    def counts(self) -> dict[str, int] | None:
        """How many "numbers" the sums before are, and how many of them "changed"; None of a model
        that is not made of sums."""
        before, after = self.models["before"], self.models["after"]
        if not isinstance(before, CountedModel) or not isinstance(after, CountedModel):
            return None
        changed = before.statistics.changed(after.statistics)
        return {"numbers": before.statistics.size, "changed": changed}

    @property
    def trees(self) -> tuple[TreePair, ...]:
        """Before and after, of each class; one where all classes share it, none without trees."""
        before, after = self.models["before"], self.models["after"]
        if not isinstance(before, Trees) or not isinstance(after, Trees):
            return ()
        pairs = list(zip(before.edges, after.edges, strict=True))
        if isinstance(before, TreeAugmented):
            return (TreePair("", *pairs[0]),)
        names = self.task.dataset.class_names
        return tuple(TreePair(name, *pair) for name, pair in zip(names, pairs, strict=True))

    @property
    def verdict(self) -> Verdict | None:
        """As for networks, by the same signals; but what is bit for bit the model that never saw
        the forget set has forgotten it, and no number of images is too few to say so."""
        before, after, ideal = (self.measured[which] for which in ORDER)
        found = judge(before, after, ideal, self.spread)
        return found.of_the_ideal() if found and self.exact else found


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
        "unlearning", lambda: ready(task.method.forget(before, rows, retain, task.seed))
    )
    retrained = clock.timed("retraining", lambda: task.fit(retain))
    models: dict[Which, Model] = {"before": before, "after": after, "retrained": retrained}
    measured = clock.timed("measuring", lambda: evaluations(task, models, metrics))
    again: tuple[Model, ...] = ()
    if issubclass(task.model, HiddenModel):
        again = clock.timed("retraining again", lambda: retrained_again(task))
    spread = between(measured["retrained"], again, task) if again else {}
    return Forgotten(task, models, measured, again, spread, clock.seconds)


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
