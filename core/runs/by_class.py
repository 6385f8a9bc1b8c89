"""How many new images of each class the networks of a run label correctly."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data.splits import Indices
from core.errors import BadRequest
from core.metrics.differences import difference_of_shares
from core.metrics.measures import Evaluation, Measure, Z, averaged, share_of
from core.runs.run import Run


@dataclass(frozen=True)
class OfClass:
    """One class. forgotten: whether all of it was to be. before, now, ideal: shares of its test
    images, 0 to 1; ideal None where none is known. apart: now - ideal; its interval is the wider
    one that all classes together need (Bonferroni), so that one in twenty runs names a class by
    chance."""

    name: str
    forgotten: bool
    before: Measure
    now: Measure
    ideal: Measure | None
    apart: Measure | None

    @property
    def lost(self) -> bool:
        """Whether it is surely less often right than the ideal."""
        return self.apart is not None and self.apart.high < 0


def by_class(run: Run, labels: Indices, names: Sequence[str], fingerprint: str) -> list[OfClass]:
    """Every class that has test images. labels: of the test images, int64 (n,). names: of the
    classes. fingerprint: of the images that the labels belong to.

    Raises BadRequest for a run that was made with other images, or that did not keep what its
    networks answered image by image.
    """
    run.check_images(fingerprint)
    right = [_right(model) for model in (run.before, run.after, run.retrained)]
    before, now, ideal = right
    if before is None or now is None or {len(r) for r in right if r is not None} != {len(labels)}:
        raise BadRequest("This run did not keep what its networks answered image by image.")
    whole = run.plan.request.classes if run.plan.request.fraction is None else ()
    present = [number for number in range(len(names)) if (labels == number).any()]
    wider = NormalDist().inv_cdf(1 - 0.025 / max(1, len(present))) / Z
    found = []
    for number in present:
        own = labels == number
        goal = _share(ideal[own]) if ideal is not None else None
        after = _share(now[own])
        found.append(
            OfClass(
                names[number],
                names[number] in whole,
                _share(before[own]),
                after,
                goal,
                None if goal is None else _widened(difference_of_shares(after, goal), wider),
            )
        )
    return found


def _right(model: Evaluation | None) -> NDArray[Any] | None:
    """Which test images a network is right about, of several networks how many of them."""
    measure = model["test_accuracy"] if model is not None else None
    return np.asarray(measure.each[0]) if measure is not None and measure.each else None


def _share(right: NDArray[Any]) -> Measure:
    if right.dtype == np.bool_:
        return share_of(right)
    return averaged([Measure(float(right.mean()), 0.0, 1.0, len(right), each=(right,))])


def _widened(found: Measure, by: float) -> Measure:
    return dataclasses.replace(
        found,
        low=found.value - by * (found.value - found.low),
        high=found.value + by * (found.high - found.value),
    )
