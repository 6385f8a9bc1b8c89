"""How many images of a set a model labels correctly."""

from __future__ import annotations

from core.metrics.evidence import Evidence
from core.metrics.measures import Correct, Measure, wilson
from core.metrics.metric import Metric


def _share(right: Correct) -> Measure:
    return wilson(int(right.sum()), len(right))


FORGET = Metric(
    "forget_accuracy",
    "forget accuracy",
    "How many of the images to forget it labels correctly; a model that never saw them gets many "
    "of them right too.",
    lambda evidence: _share(evidence.right[evidence.split.forget]),
)
RETAIN = Metric(
    "retain_accuracy",
    "retain accuracy",
    "How many of the training images that it should keep it labels correctly.",
    lambda evidence: _share(evidence.right[evidence.split.retain]),
)


def _on_test(name: str, label: str, images: str, view: str) -> Metric:
    def measure(evidence: Evidence) -> Measure:
        return _share(evidence.test_right[getattr(evidence.split, view)])

    return Metric(name, label, f"How many {images} it labels correctly.", measure)


TEST = _on_test("test_accuracy", "test accuracy", "images that it was never trained on", "test")
RETAINED_TEST = _on_test(
    "retained_test_accuracy",
    "retained test accuracy",
    "new images of the classes that it should still know",
    "test_retained",
)
CLASS_MATCHED_TEST = _on_test(
    "class_matched_test_accuracy",
    "class-matched test accuracy",
    "new images of the classes of the images to forget",
    "test_class_matched",
)
