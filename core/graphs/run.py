"""A plan for a graph becomes a run: trained, unlearned, retrained, measured, judged.

Everything takes seconds, so nothing is stored: the model before, the ideal and the spread of
retrainings are trained where they are asked for. What was trained before is kept in memory for the
next request on the same graph.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch

from core.errors import Cancelled
from core.graphs.data.graph import GraphDataset
from core.graphs.deletion import deletion_of
from core.graphs.ensemble import Ensemble
from core.graphs.evaluation import Questions
from core.graphs.methods import make
from core.graphs.methods.base import GraphMethod, Model, Task
from core.graphs.recipe import GraphRecipe, kind_named
from core.graphs.requests import GraphRequest
from core.graphs.training import Training
from core.metrics.measures import Evaluation
from core.unlearners.base import Step
from core.verdict import Verdict, judge

SPREAD_OF = 3
"""Ideals, from as many seeds, whose spread a verdict overlooks."""

Stage = Literal["training", "unlearning", "retraining", "comparing", "measuring"]


@dataclass(frozen=True)
class GraphPlan:
    """What is to be done: everything that decides the outcome, but for the data's folder.

    model: "gcn" or "sage" ("sgc" as well, for which influence is right). settings: of the method.
    seed: of the weights, the partition and the method.
    """

    model: str
    dataset: str
    request: GraphRequest
    method: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    self_loops: bool = True

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without the settings."""
        return {
            "model": self.model,
            "dataset": self.dataset,
            "request": self.request.to_dict(),
            "method": self.method,
            "self_loops": self.self_loops,
            "seed": self.seed,
        }


@dataclass(frozen=True, eq=False)
class GraphRun:
    """A finished run. exact: whether the method promises the retrained model; identical: whether it
    has the same logits on every node, to the last bit. single: what one network on all that is left
    knows, where the method has several; else None. seconds: "training" of the model before,
    "unlearning", "retraining" of the ideal, "measuring", and "single", of one network on all that
    is left.
    """

    plan: GraphPlan
    settings: Mapping[str, Any]
    questions: Questions
    before: Evaluation
    after: Evaluation
    retrained: Evaluation
    verdict: Verdict
    exact: bool
    identical: bool
    models: tuple[Any, Any, Any] = field(repr=False)
    seconds: Mapping[str, float] = field(default_factory=dict)
    single: Evaluation | None = None

    @property
    def share(self) -> float:
        """What unlearning took, of retraining one network on all that is left."""
        return self.seconds["unlearning"] / self.seconds["single"]


Progress = tuple[Stage, Step]


def unlearn(
    plan: GraphPlan, dataset: GraphDataset, stop: Callable[[], bool] = lambda: False
) -> Iterator[Progress | GraphRun]:
    """Yields a stage and its step, and as the last item the run. stop: asked after each step; once
    it is true, Cancelled is raised. Raises LabError for a plan that cannot be run, before any work.
    """
    method = make(plan.method, plan.settings)
    recipe = GraphRecipe(kind_named(plan.model), self_loops=plan.self_loops)
    deletion = deletion_of(dataset, plan.request)
    task = Task(dataset, deletion, recipe, plan.seed)
    questions = Questions(dataset, plan.request, deletion)
    seconds = {"measuring": 0.0}
    run = functools.partial(_timed, seconds, stop)

    before = yield from run("training", trained_before(method, task))
    after = yield from run("unlearning", method.forget(before, task))
    ideal = yield from run("retraining", method.retrain(task))
    single: Any = ideal
    if isinstance(ideal, Ensemble):
        alone = yield from run("comparing", GraphMethod().retrain(task))
        seconds["single"], single = seconds["comparing"], alone
    else:
        seconds["single"] = seconds["retraining"]
    others = []
    for number in range(1, SPREAD_OF):
        other = replace(task, seed=plan.seed + 100 * number)
        others.append((yield from run("comparing", method.retrain(other))))
    seconds.pop("comparing", None)

    clock = time.perf_counter()
    yield "measuring", Step(0, 1)
    models: tuple[Model, ...] = (before, after, ideal)
    known, found, goal = (questions.evaluate(model) for model in models)
    spread = spread_of([goal, *(questions.evaluate(other, signals=True) for other in others)])
    verdict = judge(known, found, goal, spread)
    assert verdict is not None
    same = identical(after, ideal, questions)
    alone_measured = questions.evaluate(single) if single is not ideal else None
    seconds["measuring"] = time.perf_counter() - clock
    yield GraphRun(
        plan,
        method.settings(),
        questions,
        known,
        found,
        goal,
        verdict=verdict.of_the_ideal() if same else verdict,
        exact=method.exact(deletion),
        identical=same,
        models=(before, after, ideal),
        seconds={name: round(spent, 4) for name, spent in seconds.items()},
        single=alone_measured,
    )


def spread_of(evaluations: list[Evaluation]) -> dict[str, float]:
    """By metric, the standard deviation between models trained alike from different seeds."""
    found = {}
    for name in set.intersection(*(set(one.measures) for one in evaluations)):
        values = [evaluation.value(name) for evaluation in evaluations]
        if np.isfinite(values).all():
            found[name] = float(np.std(values, ddof=1))
    return found


def identical(first: Model, second: Model, questions: Questions) -> bool:
    """Whether two models say the same of every node, to the last bit."""
    graphs = questions.dataset.graph, questions.left
    return all(torch.equal(first.logits(graph), second.logits(graph)) for graph in graphs)


_MODELS: dict[tuple[Any, ...], Any] = {}
MOST_KEPT = 8


def trained_before(method: GraphMethod, task: Task) -> Training[Any]:
    """The model before; from memory where it was trained before, for the same whatever is asked."""
    own = type(method).train is not GraphMethod.train
    kind = (method.name, *method.settings().items()) if own else ()
    key = (task.dataset.fingerprint, task.dataset.train.tobytes(), task.recipe, task.seed, kind)
    if key not in _MODELS:
        _MODELS[key] = yield from method.train(task)
        while len(_MODELS) > MOST_KEPT:
            _MODELS.pop(next(iter(_MODELS)), None)
    return _MODELS[key]


def _timed(
    seconds: dict[str, float], stop: Callable[[], bool], stage: Stage, work: Training[Any]
) -> Generator[Progress, None, Any]:
    """The same work, its steps with their stage; its time is added to `seconds`."""
    spent = 0.0
    while True:
        clock = time.perf_counter()
        try:
            step = next(work)
        except StopIteration as ended:
            seconds[stage] = seconds.get(stage, 0.0) + spent + time.perf_counter() - clock
            return ended.value
        spent += time.perf_counter() - clock
        yield stage, step
        if stop():
            raise Cancelled("The run was stopped.")
