"""Retraining on what is left: the ideal itself, at its full price."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from core.graphs.deletion import Deletion
from core.graphs.methods.base import GraphMethod, Task
from core.graphs.training import Training, train


@dataclass(frozen=True)
class Retrain(GraphMethod):
    """theta anew, without what is to be forgotten. The ideal that it is judged by has another seed:
    a run never becomes its own."""

    name, label = "retrain", "Retrain"
    sentence = "Trains a new network on the graph that is left."
    paper = "The definition of forgetting"

    def exact(self, deletion: Deletion) -> bool:
        return True

    def retrain(self, task: Task) -> Training[Any]:
        return (yield from super().retrain(replace(task, seed=task.seed + 1)))

    def forget(self, model: Any, task: Task) -> Training[Any]:
        return (yield from train(task.left, task.classes, task.recipe, task.seed, "retraining"))
