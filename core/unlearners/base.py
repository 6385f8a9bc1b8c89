"""What an unlearning method is: a frozen dataclass of hyper-parameters with a `run` generator.

A method says in its class attributes what it needs (`needs`), whom it suits and how to speak of it;
its fields, made with `parameter`, carry label, range, default and help, and widgets, shell flags
and docs are drawn from them. `run` changes the model it is given and yields a `Step` after each
batch; it draws randomness only from the generator that is passed in and reads only the parts of
the data that it declares. Most methods descend a loss: `common.descent.Descent` has the loop.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

import torch
from torch import Tensor

from core.data.images import Images
from core.errors import BadRequest, BadSetting
from core.models.classifier import Classifier
from core.models.precision import float32_only
from core.models.recipe import Recipe

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Need = Literal["retain", "forget", "features", "importance", "shards"]
"""The images to keep; those to forget; and what is stored for each model: the features of all
training images, the importance of each weight, and the shards of a SISA ensemble."""
Group = Literal[
    "exact",
    "retrain-like",
    "forget-only",
    "weight-editing",
    "teacher-student",
    "second-order",
    "control",
]
Suits = Literal["samples", "classes", "both"]


@dataclass(frozen=True)
class Step:
    """Progress of a method: `done` of `total` batches, the batch's loss, and what it is doing."""

    done: int
    total: int
    loss: float | None = None
    phase: str = "unlearning"


class UndeclaredRead(AssertionError):
    """A method read a part of the data that its `needs` does not name: a fault in the method."""


@dataclass(frozen=True)
class UnlearningData:
    """The parts of the data that a method declared, and nothing else."""

    parts: Mapping[Need, Images]
    architecture: str
    classes: int
    recipe: Recipe
    """How the original model was trained; exact methods repeat it."""
    forgotten_classes: tuple[int, ...] = ()
    """The classes to forget where the forget set is exactly all images of these, else empty."""
    records: Mapping[Need, Callable[..., Any]] = dataclasses.field(default_factory=dict)
    """What is stored for each model, under the need that declares it."""

    def _part(self, name: Need) -> Images:
        if name not in self.parts:
            raise UndeclaredRead(f"This method reads {name!r} without declaring it.")
        return self.parts[name]

    @property
    def retain(self) -> Images:
        """The training images to keep."""
        return self._part("retain")

    @property
    def forget(self) -> Images:
        """The training images to forget."""
        return self._part("forget")

    def record(self, name: Need) -> Callable[..., Any]:
        """What gives a stored record of the original model: `features(part) -> float32 (n, d)`,
        `importance(kind) -> {parameter name: Tensor}`, `shards() -> Stored`
        (`core.training.shards`)."""
        if name not in self.records:
            raise UndeclaredRead(f"This method reads {name!r} without declaring it.")
        return self.records[name]

    def features(self, part: Images) -> Tensor:
        """The original model's penultimate features of a part: float32 (n, d), in its order."""
        features: Tensor = self.record("features")(part)
        return features


Number = TypeVar("Number", int, float)


def parameter(
    default: Number, label: str, help: str, low: float, high: float, log: bool = False
) -> Number:
    """A hyper-parameter: a dataclass field with what a person needs to set it.

    low, high: inclusive range. log: whether a slider should be logarithmic. Tuned values for a case
    stand in `core.unlearners.presets`.
    """
    metadata = {"label": label, "help": help, "low": low, "high": high, "log": log}
    field: Number = dataclasses.field(default=default, metadata=metadata)
    return field


def check_ranges(method: DataclassInstance, name: str) -> None:
    """Raises BadSetting for a field made with `parameter` that is out of its range."""
    for field in dataclasses.fields(method):
        value = getattr(method, field.name)
        low, high = field.metadata["low"], field.metadata["high"]
        if isinstance(field.default, (int, float)) and not isinstance(value, (int, float)):
            raise BadSetting(f"{field.name} of {name} must be a number, not {value!r}.")
        if not low <= value <= high:
            raise BadSetting(
                f"{field.name} = {value:g} is out of range for {name}.",
                f"It goes from {low:g} to {high:g}.",
            )
        if isinstance(field.default, int) and not isinstance(value, int):
            raise BadSetting(f"{field.name} of {name} must be a whole number.")


def values_of(
    method: type[DataclassInstance], name: str, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Settings as the fields of a method have them; they may be text, as a shell or a link gives
    them. Raises BadSetting."""
    fields = {field.name: field for field in dataclasses.fields(method)}
    if unknown := set(settings) - set(fields):
        raise BadSetting(
            f"{name} has no setting {sorted(unknown)[0]!r}.",
            f"It has {', '.join(fields)}." if fields else "It has none.",
        )
    values: dict[str, Any] = {}
    for key, value in settings.items():
        kind: type[Any] = type(fields[key].default)
        try:
            number = float(value)
            values[key] = kind(number)
        except (TypeError, ValueError, OverflowError) as error:
            raise BadSetting(f"{key} = {value!r} is not a number.") from error
        if values[key] != number:
            raise BadSetting(f"{key} = {value} must be a whole number.")
    return values


Steps = Generator[Step, None, None]
"""What `run` gives."""
Run = Callable[["Unlearner", Classifier, UnlearningData, torch.Generator], Steps]


def _at_own_precision(run: Run) -> Run:
    """`run`, each step of which computes in the method's declared precision. Between two steps the
    machine's own holds, for whoever watches."""

    @functools.wraps(run)
    def wrapper(
        self: Unlearner, model: Classifier, data: UnlearningData, generator: torch.Generator
    ) -> Steps:
        with contextlib.closing(run(self, model, data, generator)) as steps:
            while True:
                with self.own_precision():
                    step = next(steps, None)
                if step is None:
                    return
                yield step

    return wrapper


@dataclass(frozen=True)
class Unlearner:
    """Base of all methods. Subclasses are frozen dataclasses that set the class attributes below.

    name: the registry's key. label: for a screen. group: see `Group`. needs: the parts of the data
    that it reads. suits: what it was designed for. draws: whether the seed makes a difference.
    precision: "float32" where it always computes in it, "auto" where its training steps follow the
    machine and `FORGETTING_LAB_PRECISION`. sentence: for a visitor. paper: the source.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    group: ClassVar[Group]
    needs: ClassVar[frozenset[Need]]
    suits: ClassVar[Suits] = "both"
    draws: ClassVar[bool] = True
    precision: ClassVar[Literal["auto", "float32"]] = "auto"
    sentence: ClassVar[str]
    paper: ClassVar[str]

    def __init_subclass__(cls) -> None:
        if "run" in cls.__dict__:
            setattr(cls, "run", _at_own_precision(cls.__dict__["run"]))  # noqa: B010, mypy's sake

    def __post_init__(self) -> None:
        check_ranges(self, self.name)

    def check(self, data: UnlearningData) -> None:
        """Raises BadRequest where the method does not apply to what is to be forgotten."""
        if self.suits == "classes" and not data.forgotten_classes:
            raise BadRequest(
                f"{self.label} forgets whole classes, and this choice is something else.",
                "Choose one or more classes entirely, or another method.",
            )

    def settings(self) -> dict[str, Any]:
        """Every hyper-parameter and its value, JSON-ready."""
        return dataclasses.asdict(self)

    @classmethod
    def own_precision(cls) -> contextlib.AbstractContextManager[object]:
        """Inside this context the precision is the one that the method declares."""
        return float32_only() if cls.precision == "float32" else contextlib.nullcontext()

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        """Changes `model` in place so that it forgets; yields after each batch.

        Each yielded `Step` carries the `total` too, so that progress is known from the first one.
        """
        raise NotImplementedError
