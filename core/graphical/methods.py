"""How a probabilistic model forgets: exactly, where it is made of sums, and else nearly."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from core.errors import BadRequest, UnknownMethod
from core.graphical.hidden import HiddenModel
from core.graphical.logistic import Logistic
from core.graphical.model import CountedModel, Model, Rows
from core.unlearners.base import check_ranges, parameter, values_of


@dataclass(frozen=True)
class Method(ABC):
    """Frozen dataclasses whose fields are hyper-parameters, as those of `core.unlearners` are.

    name, label, sentence: as theirs. kind: the models that it is for. why_not: said where it is
    asked of another.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    sentence: ClassVar[str]
    kind: ClassVar[type] = Model
    why_not: ClassVar[str] = ""

    def __post_init__(self) -> None:
        check_ranges(self, self.name)

    def settings(self) -> dict[str, Any]:
        """Every hyper-parameter and its value, JSON-ready."""
        return dataclasses.asdict(self)

    @abstractmethod
    def forget(self, model: Any, forget: Rows, retain: Rows, seed: int) -> Model:
        """The model without the rows to forget, as far as the method goes. model: of `kind`,
        trained on both. seed: of what is drawn at random."""


@dataclass(frozen=True)
class Exact(Method):
    """T(all) - T(F) = T(R), in integers."""

    name, label = "exact", "Taking counts away"
    sentence = "Takes the images' counts out of the sums: what is left is what was never more."
    kind = CountedModel
    why_not = "it is not made of sums over images alone"

    def forget(self, model: CountedModel, forget: Rows, retain: Rows, seed: int) -> CountedModel:
        return model.without(forget)


@dataclass(frozen=True)
class ContinueEM(Method):
    """T(all) - sum_F E[t | x], the M-step, then `iterations` more steps of EM on R."""

    name, label = "continue_em", "Taking responsibilities away, then more EM"
    sentence = (
        "Takes away what the images are responsible for, and lets EM go on with the others. Near "
        "the retrained model or not: EM stays in the maximum that all images led to."
    )
    kind = HiddenModel
    why_not = "it has no hidden variable, so there is no EM to go on with"

    iterations: int = parameter(
        20, "Steps of EM", "On the images to keep, afterwards; 0 takes away only.", 0, 300
    )

    def forget(self, model: HiddenModel, forget: Rows, retain: Rows, seed: int) -> HiddenModel:
        left = model.without_responsibilities(forget)
        if not self.iterations:
            return left
        touched = np.unique(forget.labels).tolist()
        return left.continued(retain, self.iterations, touched)


@dataclass(frozen=True)
class Influence(Method):
    """W + (H_D + lambda I)^-1 sum_F g, D all images."""

    name, label = "influence", "Influence function"
    sentence = "Estimates in one step, from the curvature of all images, where training would end."
    kind = Logistic
    why_not = "it is not fitted by descending a loss"

    def forget(self, model: Logistic, forget: Rows, retain: Rows, seed: int) -> Logistic:
        return model.moved(forget, retain.with_rows(forget))


@dataclass(frozen=True)
class Newton(Influence):
    """W + (H_R + lambda I)^-1 sum_F g."""

    name, label = "newton", "Newton removal"
    sentence = "The same step with the curvature of the images to keep: nearer, and as quick."

    def forget(self, model: Logistic, forget: Rows, retain: Rows, seed: int) -> Logistic:
        return model.moved(forget, retain)


@dataclass(frozen=True)
class Descend(Method):
    """Gradient descent on J_R, then noise."""

    name, label = "descent_to_delete", "Descent-to-Delete"
    sentence = "Trains on with the images to keep, then hides what is left of the others in noise."
    kind = Logistic
    why_not = Influence.why_not

    iterations: int = parameter(
        2000, "Steps", "Of gradient descent; more need less noise.", 3, 20000, log=True
    )
    epsilon: float = parameter(
        1.0, "Epsilon", "How far apart retrained and unlearned may be told.", 0.01, 100, log=True
    )
    delta: float = parameter(1e-5, "Delta", "The chance that this fails.", 1e-12, 0.1, log=True)

    def forget(self, model: Logistic, forget: Rows, retain: Rows, seed: int) -> Logistic:
        return model.descended(retain, self.iterations, self.epsilon, self.delta, seed)


@dataclass(frozen=True)
class Retrain(Method):
    """Fits anew."""

    name, label = "retrain", "Retrain"
    sentence = "Learns anew without the images: the ideal, and its cost."

    def forget(self, model: Model, forget: Rows, retain: Rows, seed: int) -> Model:
        return model.fit(retain, model.classes, seed)


@dataclass(frozen=True)
class DoNothing(Method):
    """A control."""

    name, label = "do_nothing", "Doing nothing"
    sentence = "Leaves the model as it is."

    def forget(self, model: Model, forget: Rows, retain: Rows, seed: int) -> Model:
        return model


METHODS: dict[str, type[Method]] = {
    method.name: method
    for method in (Exact, ContinueEM, Influence, Newton, Descend, Retrain, DoNothing)
}
"""By name, the exact one first."""


def methods_of(model: type[Model]) -> tuple[str, ...]:
    """The names of the methods that a model can forget by, the first its own."""
    return tuple(name for name, method in METHODS.items() if issubclass(model, method.kind))


def make(name: str, model: type[Model], settings: Mapping[str, Any] | None = None) -> Method:
    """A method for a model, with its settings, which may be text; what is not given has its
    default. Raises UnknownMethod, BadRequest where it is not for this model, or BadSetting."""
    known = f"It has {', '.join(methods_of(model))}."
    if name not in METHODS:
        raise UnknownMethod(f"There is no method {name!r} for this model.", known)
    method = METHODS[name]
    if not issubclass(model, method.kind):
        raise BadRequest(f"{name} is not for {model.name}: {method.why_not}.", known)
    return method(**values_of(method, name, settings or {}))
