"""What an attack is: a guess, from what a model makes of an image, whether it was trained on it.

An `Attack` learns to guess and is scored by how often it is right. A `ThresholdAttack` gives each
image a score and accuses those above a threshold: it is read over all thresholds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.attacks.curve import Floats, auc, balanced_accuracy, tpr_at
from core.metrics.evidence import Evidence, Seen
from core.metrics.measures import Measure
from core.metrics.metric import LOGITS, OUTCOMES, Metric, Signal

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

    def metrics(self) -> tuple[Metric, ...]:
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


AREA = 0.02
"""Of an AUC: less does not matter."""


@dataclass(frozen=True)
class ThresholdAttack:
    """name, label, sentence, needs: as an attack's. scores: of the images to forget and of the
    unseen ones that suit the request, (n,) each; high speaks for membership; None where nothing
    can be said. signal: of what its AUC is a signal to the verdict, "" of nothing.
    """

    name: str
    label: str
    sentence: str
    scores: Callable[[Evidence], tuple[Floats, Floats] | None]
    needs: frozenset[str] = LOGITS
    signal: Signal = ""

    def metrics(self) -> tuple[Metric, ...]:
        """The area under its curve, its accuracy, and what it finds with few wrong accusations."""

        def number(
            suffix: str,
            label: str,
            sentence: str,
            read: Callable[[Floats, Floats], Measure | None],
            signal: Signal = "",
        ) -> Metric:
            def measure(evidence: Evidence) -> Measure | None:
                scores = evidence.once(self.name, lambda: self.scores(evidence))
                return read(*scores) if scores else None

            return Metric(
                f"{self.name}_{suffix}", f"{self.label}, {label}", f"{self.sentence} {sentence}",
                measure, self.needs, slow=not signal, signal=signal, margin=AREA,
            )  # fmt: skip

        return (
            number(
                "auc", "AUC",
                "How often a forgotten image scores higher than a new one, of all pairs.",
                auc, self.signal,
            ),
            number(
                "accuracy", "balanced accuracy",
                "How often its best threshold is right, where both sides weigh the same.",
                balanced_accuracy,
            ),
            number(
                "tpr_1", "TPR at 1 % FPR",
                "How many of the images to forget it finds while it accuses one new image in 100.",
                lambda members, others: tpr_at(0.01, members, others),
            ),
            number(
                "tpr_01", "TPR at 0.1 % FPR",
                "How many of the images to forget it finds while it accuses one new image in "
                "1,000.",
                lambda members, others: tpr_at(0.001, members, others),
            ),
        )  # fmt: skip


def of_each(score: Callable[[Seen], Floats]) -> Callable[[Evidence], tuple[Floats, Floats]]:
    """The scores of an attack that looks at each image by itself."""
    return lambda evidence: (score(evidence.forget), score(evidence.fair_unseen))
