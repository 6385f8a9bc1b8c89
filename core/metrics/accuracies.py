"""How many images of a set a model labels correctly."""

from __future__ import annotations

from core.metrics.evidence import Evidence
from core.metrics.measures import Measure, share_of
from core.metrics.metric import OUTCOMES, Metric, Signal

POINT = 0.01
"""Of accuracy: less does not matter."""

FORGET = Metric(
    "forget_accuracy",
    "forget accuracy",
    "How many of the images to forget it labels correctly; a model that never saw them gets many "
    "of them right too.",
    lambda evidence: share_of(evidence.right[evidence.split.forget]),
    signal="answers",
    margin=POINT,
)
RETAIN = Metric(
    "retain_accuracy",
    "retain accuracy",
    "How many of the training images that it should keep it labels correctly.",
    lambda evidence: share_of(evidence.right[evidence.split.retain]),
    OUTCOMES | {"retained"},
    signal="damage",
    margin=POINT,
)


def _on_test(name: str, label: str, images: str, view: str, signal: Signal = "") -> Metric:
    def measure(evidence: Evidence) -> Measure:
        return share_of(evidence.test_right[getattr(evidence.split, view)])

    sentence = f"How many {images} it labels correctly."
    return Metric(name, label, sentence, measure, signal=signal, margin=POINT)


TEST = _on_test("test_accuracy", "test accuracy", "images that it was never trained on", "test")
RETAINED_TEST = _on_test(
    "retained_test_accuracy",
    "retained test accuracy",
    "new images of the classes that it should still know",
    "test_retained",
    "damage",
)
CLASS_MATCHED_TEST = _on_test(
    "class_matched_test_accuracy",
    "class-matched test accuracy",
    "new images of the classes of the images to forget",
    "test_class_matched",
)
