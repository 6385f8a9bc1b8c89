"""The steps of a method that is not a descent, numbered as they are taken."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from core.curvature.products import Work, yielding
from core.unlearners.base import Step

Result = TypeVar("Result")


class Counted:
    """Numbers the steps of one run from 1 to `total`."""

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0

    def step(self, phase: str = "unlearning", loss: float | None = None) -> Step:
        """The next one."""
        self.done += 1
        return Step(self.done, self.total, loss, phase)

    def through(
        self, work: Work[Result], phase: str = "curvature"
    ) -> Generator[Step, None, Result]:
        """The same work, each yield of which is a step."""
        return (yield from yielding(work, lambda: self.step(phase)))
