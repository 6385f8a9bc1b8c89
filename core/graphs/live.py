"""A deletion while somebody watches: GraphEraser's answer, and one network retrained beside it.

What a run measures besides (attacks, the spread of retrainings, the verdict) takes longer:
`core.graphs.run`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from core.curvature.products import finish
from core.graphs.data.graph import GraphDataset
from core.graphs.deletion import Deletion, deletion_of
from core.graphs.ensemble import Ensemble
from core.graphs.evaluation import Questions
from core.graphs.methods.base import GraphMethod, Model, Task
from core.graphs.methods.graph_eraser import GraphEraser
from core.graphs.recipe import GraphRecipe
from core.graphs.requests import GraphRequest
from core.graphs.run import GraphPlan, trained_before
from core.metrics.measures import Measure

ASKED = ("forget_accuracy", "test_accuracy")


@dataclass(frozen=True, eq=False)
class LiveDeletion:
    """plan: what was done. before, after: the ensembles. accuracy: on test nodes, of "before",
    "after" and "one network" retrained on what is left; known: on the nodes to forget, of the
    same. seconds: "deletion" and "retraining" that one network. exact: whether the deletion leaves
    nothing behind.
    """

    plan: GraphPlan
    dataset: GraphDataset
    deletion: Deletion
    before: Ensemble
    after: Ensemble
    accuracy: dict[str, Measure]
    known: dict[str, Measure]
    seconds: dict[str, float]
    exact: bool

    @property
    def share(self) -> float:
        """What the deletion took, of retraining one network."""
        return self.seconds["deletion"] / self.seconds["retraining"]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: all that it found, and the plan that makes it again."""
        measured = {"test_accuracy": self.accuracy, "forget_accuracy": self.known}
        return {
            "plan": self.plan.to_dict(),
            "settings": dict(self.plan.settings),
            **{
                name: {metric: found[name].to_dict() for metric, found in measured.items()}
                for name in self.accuracy
            },
            "seconds": self.seconds,
            "share_of_retraining": self.share,
            "shards": self.after.shards_since(self.before),
            "exact": self.exact,
            "data": {"source": self.dataset.source, "fingerprint": self.dataset.fingerprint},
        }


def prepare(
    dataset: GraphDataset, recipe: GraphRecipe, method: GraphEraser, seed: int = 0
) -> Ensemble:
    """The shards before any deletion; trained once, then from memory."""
    request = GraphRequest("nodes", count=1)
    task = Task(dataset, deletion_of(dataset, request), recipe, seed)
    ensemble: Ensemble = finish(trained_before(method, task))
    return ensemble


def delete(
    dataset: GraphDataset,
    recipe: GraphRecipe,
    method: GraphEraser,
    request: GraphRequest,
    seed: int = 0,
) -> LiveDeletion:
    """Raises LabError for a request that does not fit."""
    deletion = deletion_of(dataset, request)
    task = Task(dataset, deletion, recipe, seed)
    before: Ensemble = finish(trained_before(method, task))
    clock = time.perf_counter()
    after = finish(method.forget(before, task))
    spent = time.perf_counter() - clock
    single = finish(GraphMethod().retrain(task))
    seconds = {"deletion": spent, "retraining": time.perf_counter() - clock - spent}
    questions = Questions(dataset, request, deletion)
    models: dict[str, Model] = {"before": before, "after": after, "one network": single}
    accuracy, known = {}, {}
    for name, model in models.items():
        found = questions.evaluate(model, only=ASKED)
        forget, test = found[ASKED[0]], found[ASKED[1]]
        assert forget is not None
        assert test is not None
        known[name], accuracy[name] = forget, test
    plan = GraphPlan(
        recipe.kind, dataset.name, request, method.name, method.settings(), seed, recipe.self_loops
    )
    return LiveDeletion(
        plan, dataset, deletion, before, after, accuracy, known, seconds, method.exact(deletion)
    )
