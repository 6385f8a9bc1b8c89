"""Doing nothing: the control that no verdict may call forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.graphs.methods.base import GraphMethod, Task
from core.graphs.training import Training
from core.unlearners.base import Step


@dataclass(frozen=True)
class DoNothing(GraphMethod):
    """theta."""

    name, label = "do_nothing", "Doing nothing"
    sentence = "Leaves the network as it is."
    paper = "The first row of every table"

    def forget(self, model: Any, task: Task) -> Training[Any]:
        yield Step(1, 1)
        return model
