"""What an attack is: a guess, from what a model makes of an image, whether it was trained on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.metrics.evidence import Evidence, Seen
from core.metrics.measures import Measure
from core.metrics.metric import OUTCOMES, Metric

ROUNDS = 10
"""Random choices of images that a class-matched attack is averaged over."""


@dataclass(frozen=True)
class Attack:
    """name: its key in files and on the shell. label: the field's term. sentence: what it looks at,
    for somebody who hears of it for the first time. run: of the images to forget, the unseen ones,
    and the number of random choices of the larger side to average over; None where there are too
    few images. needs: as a metric's.
    """

    name: str
    label: str
    sentence: str
    run: Callable[[Seen, Seen, int], Measure | None]
    needs: frozenset[str] = OUTCOMES

    def metrics(self) -> tuple[Metric, Metric]:
        """Against all test images, and against those of the classes of the forget set."""

        def plain(evidence: Evidence) -> Measure | None:
            return self.run(evidence.forget, evidence.unseen(), 1)

        def matched(evidence: Evidence) -> Measure | None:
            return self.run(evidence.forget, evidence.unseen(class_matched=True), ROUNDS)

        return (
            Metric(
                self.name, self.label, f"{self.sentence} Against new images of every class.",
                plain, self.needs, slow=True,
            ),
            Metric(
                f"{self.name}_class_matched", f"class-matched {self.label}",
                f"{self.sentence} Against new images of the same classes.",
                matched, self.needs, slow=True,
            ),
        )  # fmt: skip
