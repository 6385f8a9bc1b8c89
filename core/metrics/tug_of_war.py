"""The tug of war: nearness to the ideal on images to forget, to keep and new, in one number."""

from __future__ import annotations

import numpy as np

from core.metrics.evidence import Evidence
from core.metrics.measures import Measure
from core.metrics.metric import OUTCOMES, Metric


def tug_of_war(evidence: Evidence) -> Measure | None:
    """The product, over forget, retain and test images, of 1 less the difference in accuracy: 1 as
    exact as retraining, 0 as far as can be (Zhao et al. 2024, arXiv 2406.01257). Without interval.
    """
    ideal = evidence.ideal
    if ideal is None:
        return None
    product = 1.0
    for indices in (evidence.split.forget, evidence.split.retain):
        product *= 1 - abs(evidence.right[indices].mean() - ideal.right[indices].mean())
    product *= 1 - abs(evidence.test_right.mean() - ideal.test_right.mean())
    return Measure(float(product), np.nan, np.nan, len(evidence.split.forget))


TUG_OF_WAR = Metric(
    "tug_of_war",
    "tug of war (ToW)",
    "How near its accuracies on images to forget, to keep and new are to the retrained network's, "
    "multiplied; 1 is the same.",
    tug_of_war,
    OUTCOMES | {"retained", "ideal"},
)
