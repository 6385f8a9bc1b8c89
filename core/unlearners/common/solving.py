"""What the second-order methods share: a solver's yields as `Step`s."""

from __future__ import annotations

from collections.abc import Generator

from torch import Tensor

from core.curvature.products import Work, numbered
from core.unlearners.base import Step


def solving(
    work: Work[Tensor], before: int, total: int, phase: str = "curvature"
) -> Generator[Step, None, Tensor]:
    """The same work, each yield the next `Step` after `before`."""
    counted = numbered(work, before, total)
    while True:
        try:
            done, _ = next(counted)
        except StopIteration as stop:
            found: Tensor = stop.value
            return found
        yield Step(done, total, phase=phase)
