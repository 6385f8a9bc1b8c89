"""What a model does with every image, the images that the verdict needs first.

A verdict is read from the forget set and the test images; those to keep are most of all and come
after it, so that nobody waits for them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from core.data.splits import Split
from core.evaluation import Passes, measure
from core.metrics.evidence import Evidence
from core.metrics.measures import Evaluation
from core.metrics.registry import METRICS

STAGE = 2_000
"""Images to keep that are measured between two signs of progress."""
LATE = frozenset({"retained"})
"""What a metric needs that cannot be read before all images to keep are measured."""
INSIDE = frozenset({"features", "mirrored"})
"""What it needs that a look inside shows; of all three models it is taken after the last step, so
that nobody waits for it before the first."""


def in_stages(passes: Passes, parts: Split) -> Iterator[None]:
    """Has all images pass, and pauses between: first the forget set and the test images, then more
    and more of those to keep."""
    passes.see("test")
    passes.see("train", parts.forget)
    yield
    for chosen in np.split(parts.retain, range(STAGE, len(parts.retain), STAGE)):
        passes.see("train", chosen)
        yield


def outside(evidence: Evidence) -> Evaluation:
    """All that can be read without a look inside."""
    return measure(evidence, [m for m in METRICS.values() if not m.needs & INSIDE])


def at_once(evidence: Evidence) -> Evaluation:
    """What is quickly read before the images to keep are measured."""
    return measure(
        evidence, [m for m in METRICS.values() if not m.slow and not m.needs & (INSIDE | LATE)]
    )


def completed(
    first: Evaluation, evidence: Evidence, without: frozenset[str] = frozenset()
) -> Evaluation:
    """A first evaluation with what was not read yet, but for metrics that need what is in
    `without`: they are still to come, and not among the measures."""
    wanted = [m for m in METRICS.values() if not m.needs & without]
    rest = [metric for metric in wanted if metric.name not in first.measures]
    known = {**first.measures, **measure(evidence, rest).measures}
    return dataclasses.replace(first, measures={m.name: known[m.name] for m in wanted})
