"""What a method for graphs is: it trains a model, and makes it forget a part of the graph."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from torch import Tensor

from core.errors import BadSetting
from core.graphs.data.graph import Graph, GraphDataset
from core.graphs.deletion import Deletion
from core.graphs.networks import GraphNetwork
from core.graphs.recipe import GraphRecipe
from core.graphs.training import Training, train


class Model(Protocol):
    """A network, or several that answer together."""

    def logits(self, graph: Graph) -> Tensor:
        """float32 (n, classes): of each node of any graph."""
        ...


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be forgotten, and how the model before was made. seed: of weights and dropout."""

    dataset: GraphDataset
    deletion: Deletion
    recipe: GraphRecipe
    seed: int

    @property
    def classes(self) -> int:
        return len(self.dataset.class_names)

    @property
    def left(self) -> Graph:
        """The training graph without what is to be forgotten."""
        return self.deletion.left_of(self.dataset.training_graph)


@dataclass(frozen=True)
class GraphMethod:
    """Base of all methods; subclasses are frozen dataclasses of hyper-parameters.

    name, label: its key, and what a screen calls it. sentence: for a visitor. paper: the source.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    sentence: ClassVar[str]
    paper: ClassVar[str]

    def exact(self, deletion: Deletion) -> bool:
        """Whether the model that it ends with is, bit for bit, one that was trained without."""
        return False

    def train(self, task: Task) -> Training[Any]:
        """The model before, trained on all training nodes."""
        graph = task.dataset.training_graph
        return (yield from train(graph, task.classes, task.recipe, task.seed))

    def retrain(self, task: Task) -> Training[Any]:
        """The ideal: a model of the same kind, trained from scratch on what is left."""
        return (yield from train(task.left, task.classes, task.recipe, task.seed, "retraining"))

    def forget(self, model: Any, task: Task) -> Training[Any]:
        """Another model, which has forgotten; `model` stays as it is. Raises LabError."""
        raise NotImplementedError

    def settings(self) -> dict[str, Any]:
        """Every hyper-parameter and its value, JSON-ready."""
        return dataclasses.asdict(self)


def network_of(model: Any) -> GraphNetwork:
    """The model before, of a method for single networks."""
    assert isinstance(model, GraphNetwork)
    return model


def setting(kind: type[Any], name: str, value: Any) -> Any:
    """A hyper-parameter from text, as a shell gives it. Raises BadSetting."""
    if kind is str:
        return str(value)
    try:
        if kind is bool:
            words = {"1": True, "true": True, "on": True, "0": False, "false": False, "off": False}
            return words[str(value).lower()]
        number = float(value)
        if kind(number) != number:
            raise ValueError
        return kind(number)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        said = {bool: "on or off", int: "a whole number", float: "a number"}[kind]
        raise BadSetting(f"{name} = {value!r} is not {said}.") from error
