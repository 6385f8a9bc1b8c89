"""How far the losses of forgotten and of new images have the same shape."""

from __future__ import annotations

import math

from core.metrics.evidence import Evidence
from core.metrics.histogram import overlap
from core.metrics.measures import Measure
from core.metrics.metric import Metric


def _measure(evidence: Evidence) -> Measure:
    forget, test = evidence.forget.losses, evidence.unseen().losses
    return Measure(overlap(forget, test), math.nan, math.nan, min(len(forget), len(test)))


OVERLAP = Metric(
    "overlap",
    "overlap of the losses",
    "How much of their area the histograms of the losses of forgotten and of new images share.",
    _measure,
)
