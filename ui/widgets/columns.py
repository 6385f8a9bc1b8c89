"""One model's numbers as the three columns show them; nothing is drawn here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from core.data.requests import ForgetRequest
from core.metrics.measures import Evaluation, Losses, Measure, wilson
from core.runs.run import MODELS, Probe, Run
from ui.wording.attack import fair_metric

UNSCORED = Measure(math.nan, 0.0, 1.0, 0)
"""An attack on too few images."""


@dataclass(frozen=True)
class Column:
    """One model's numbers as the three columns show them; None is not measured (yet).

    spy: the attack that is fair for the request; spy_plain: against test images of every class,
    where that is another one. matched: whether test_losses are of the forgotten images' classes.
    rough: measured on samples on the way, not on all images.
    """

    forget_losses: Losses | None = field(default=None, repr=False)
    test_losses: Losses | None = field(default=None, repr=False)
    matched: bool = False
    spy: Measure | None = None
    spy_plain: Measure | None = None
    forget: Measure | None = None
    useful: Measure | None = None
    rough: bool = False

    @classmethod
    def of(cls, evaluation: Evaluation | None, request: ForgetRequest, fair: bool = True) -> Column:
        """From a full evaluation; empty for None. fair: show test images that suit the request;
        False shows all of them."""
        if evaluation is None:
            return cls()
        matched = request.class_matched and fair
        return cls(
            evaluation.forget_losses,
            evaluation.class_matched_losses if matched else evaluation.test_losses,
            matched,
            _attack(evaluation, fair_metric(request)),
            _attack(evaluation, "mia"),
            evaluation["forget_accuracy"],
            evaluation["retained_test_accuracy"],
        )

    @classmethod
    def of_probe(cls, probe: Probe | None) -> Column:
        """From a quick look on the way; empty for None."""
        if probe is None:
            return cls(rough=True)
        n, m = len(probe.forget_losses), len(probe.test_losses)
        return cls(
            probe.forget_losses,
            probe.test_losses,
            probe.matched,
            UNSCORED if probe.mia is None else wilson(probe.mia * min(n, m), min(n, m)),
            None,
            wilson(probe.forget_accuracy * n, n),
            wilson(probe.test_accuracy * m, m),
            rough=True,
        )


def _attack(evaluation: Evaluation, name: str) -> Measure | None:
    """An attack's score; `UNSCORED` where it found too few images, None where it is still to come
    (a first verdict stands before the attacks)."""
    if name not in evaluation.measures:
        return None
    return evaluation[name] or UNSCORED


def columns_of(run: Run, fair: bool = True) -> dict[str, Column]:
    """The three columns of a finished run."""
    return {model: Column.of(getattr(run, model), run.plan.request, fair) for model in MODELS}


def losses_of(columns: Mapping[str, Column]) -> list[Losses]:
    """Every loss that the columns' histograms show."""
    both = [x for c in columns.values() for x in (c.forget_losses, c.test_losses)]
    return [x for x in both if x is not None]
