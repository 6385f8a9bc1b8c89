"""The margin of mirrored images: a method that pushed only the images themselves leaves their
mirror images as they were."""

from __future__ import annotations

from core.attacks.attack import ThresholdAttack
from core.attacks.curve import Floats
from core.attacks.probabilities import margins
from core.metrics.evidence import Evidence, Sample
from core.metrics.metric import LOGITS


def _of_mirrored(evidence: Evidence) -> tuple[Floats, Floats]:
    def score(sample: Sample) -> Floats:
        assert sample.mirrored is not None
        return margins(sample.mirrored.logits, sample.mirrored.labels)

    return score(evidence.sample("forget")), score(evidence.sample("test"))


MIRRORED = ThresholdAttack(
    "mirrored_margin",
    "mirrored margin attack",
    "The margin attack on mirrored images: training saw them as well.",
    _of_mirrored,
    LOGITS | {"mirrored"},
)
