"""The descent that most methods are: steps of SGD on a loss, the rate along a cosine to 0.

A method that is one descent inherits `Descent` and writes its equation, `losses`. One that has
other work before it writes `run`, and gives each part of the work to `in_phases`, which counts.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from core.errors import Diverged
from core.models.classifier import Classifier
from core.training.optimisers import make_optimiser
from core.unlearners.base import Step, Steps, Unlearner, UnlearningData
from core.unlearners.common.draw import Draw, steps_for
from core.unlearners.common.networks import device_of, weights_of

AfterStep = Callable[[float], None]
"""Gets the rate of the step that was taken."""


@dataclass(frozen=True)
class Phase:
    """A part of a method's work: what it is doing, in how many batches, and the work, which yields
    after each of them the batch's loss, or None where there is none."""

    name: str
    total: int
    work: Iterator[float | None]


def in_phases(*phases: Phase) -> Iterator[Step]:
    """The steps of all phases in turn, numbered consecutively."""
    total = sum(phase.total for phase in phases)
    done = itertools.count(1)
    for phase in phases:
        for loss in phase.work:
            yield Step(next(done), total, loss, phase.name)


def descend(
    optimiser: torch.optim.Optimizer,
    losses: Iterable[Tensor],
    total: int,
    after_step: AfterStep | None = None,
) -> Iterator[float]:
    """`total` steps on these losses, the rate falling along a cosine from the optimiser's to 0.
    Yields each loss. Raises Diverged."""
    peak = optimiser.param_groups[0]["lr"]
    for done, loss in enumerate(itertools.islice(losses, total)):
        rate = peak * 0.5 * (1 + math.cos(math.pi * done / total))
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if after_step:
            after_step(rate)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise Diverged(
                f"The method diverged: at step {done + 1} its loss is no longer a number.",
                "A lower learning rate helps.",
            )
        yield value


def adam(weights: Iterable[Tensor], learning_rate: float) -> torch.optim.Optimizer:
    """Adam as it was published; never fused, see the design."""
    return torch.optim.Adam(weights, learning_rate, fused=False)


def sgd_phase(
    name: str,
    model: Classifier,
    losses: Iterable[Tensor],
    total: int,
    learning_rate: float,
    momentum: float,
) -> Phase:
    """SGD with Nesterov momentum, started anew."""
    optimiser = make_optimiser(model, learning_rate, momentum)
    return Phase(name, total, descend(optimiser, losses, total))


def proximal(
    model: Classifier, momentum: float, move: Callable[[Tensor, Tensor, float, int], None]
) -> AfterStep:
    """After each step of SGD `move(weight, original, s, done)` for every trained parameter: a
    proximal step, which cannot diverge. done: the steps before this one.

    s is eta / (1 - momentum), the length to which SGD's momentum multiplies a steady gradient: with
    eta alone it would settle at the minimum for a penalty (1 - momentum) times as strong.
    """
    originals, steps = weights_of(model), itertools.count()

    @torch.no_grad()
    def after_step(rate: float) -> None:
        done = next(steps)
        for weight, original in zip(model.parameters(), originals, strict=True):
            move(weight, original, rate / (1 - momentum), done)

    return after_step


class Descent(Unlearner):
    """A method that descends a loss. It declares the four fields below as parameters, says in
    `over` which images `epochs` are passes over, and writes `losses`.

    It need not be SGD with Nesterov momentum: `optimiser` says what it is. What must happen to the
    weights after each step, `after_step` says.
    """

    over: ClassVar[Literal["retain", "forget"]] = "forget"
    epochs: float
    learning_rate: float
    momentum: float
    batch_size: int

    def losses(self, model: Classifier, data: UnlearningData, draw: Draw) -> Iterator[Tensor]:
        """The loss of one batch after another, without end, each computed when it is asked for,
        after the step on the one before."""
        raise NotImplementedError

    def steps(self, data: UnlearningData) -> int:
        """How many steps it takes."""
        part = data.retain if self.over == "retain" else data.forget
        return steps_for(part, self.epochs, self.batch_size)

    def optimiser(self, model: Classifier) -> torch.optim.Optimizer:
        """What takes the steps, at the rate from which the cosine falls."""
        return make_optimiser(model, self.learning_rate, self.momentum)

    def after_step(self, model: Classifier, data: UnlearningData) -> AfterStep | None:
        """Made before the first step, called after each."""
        return None

    def descent(self, model: Classifier, data: UnlearningData, draw: Draw) -> Iterator[float]:
        """All steps, as the work of a phase."""
        losses, after_step = self.losses(model, data, draw), self.after_step(model, data)
        yield from descend(self.optimiser(model), losses, self.steps(data), after_step)

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        work = self.descent(model, data, Draw(generator, device_of(model)))
        yield from in_phases(Phase("unlearning", self.steps(data), work))


class AdamDescent(Descent):
    """The same with Adam."""

    def optimiser(self, model: Classifier) -> torch.optim.Optimizer:
        return adam(model.parameters(), self.learning_rate)
