"""What a probabilistic model is to forget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.data.dataset import ImageDataset
from core.data.splits import Split
from core.graphical.methods import Method
from core.graphical.model import Model, Rows
from core.graphical.registry import Sides

Which = Literal["before", "after", "retrained"]
ORDER: tuple[Which, ...] = ("before", "after", "retrained")


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
        return ready(self.model.fit(rows, classes, self.seed if seed is None else seed))


def ready(model: Model) -> Model:
    """The same model, with all its parameters computed: a tree is part of what takes time."""
    assert model.parameters
    return model
