"""What is measured of a model of a graph: the numbers of images that apply, and the macro-F1."""

from __future__ import annotations

import numpy as np

from core.metrics.evidence import Evidence
from core.metrics.measures import Measure
from core.metrics.metric import Metric
from core.metrics.registry import METRICS

REPLICATES = 1_000


def _macro_f1(evidence: Evidence) -> Measure | None:
    """The mean over the classes of the harmonic mean of precision and recall, on test nodes, with
    the 95 % interval of a bootstrap over them."""
    truth, said = evidence.test_labels, evidence.test.predictions
    if not len(truth):
        return None
    classes = int(max(truth.max(), said.max())) + 1
    pairs = truth * classes + said
    counts = np.bincount(pairs, minlength=classes**2)
    draw = np.random.default_rng(0)
    drawn = draw.multinomial(len(truth), counts / len(truth), REPLICATES)
    redrawn = _f1(drawn.reshape(-1, classes, classes))
    low, high = np.quantile(redrawn, [0.025, 0.975])
    value = float(_f1(counts.reshape(1, classes, classes))[0])
    return Measure(value, min(float(low), value), max(float(high), value), len(truth))


def _f1(
    confusion: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """(replicates, classes, classes), the truth first, to (replicates,). A class that is neither
    there nor said counts for nothing."""
    right = np.diagonal(confusion, axis1=1, axis2=2).astype(np.float64)
    either = confusion.sum(axis=2) + confusion.sum(axis=1)
    each = 2 * right / np.maximum(either, 1)
    mean: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
    mean = each.sum(axis=1) / np.maximum((either > 0).sum(axis=1), 1)
    return mean


MACRO_F1 = Metric(
    "macro_f1",
    "macro-F1",
    "How well it labels new nodes, where a rare class counts as much as a common one.",
    _macro_f1,
)

NAMED = (
    "forget_accuracy",
    "retain_accuracy",
    "test_accuracy",
    "retained_test_accuracy",
    "class_matched_test_accuracy",
    "mia",
    "mia_class_matched",
    "margin_auc",
)
MEASURED: dict[str, Metric] = {
    **{name: METRICS[name] for name in NAMED},
    **{name: metric for name, metric in METRICS.items() if metric.signal},
    MACRO_F1.name: MACRO_F1,
}
"""By name: those of `NAMED`, all that a verdict reads, and the macro-F1."""
