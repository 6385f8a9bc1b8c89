"""What a model does with every image, the images that the verdict needs first.

A verdict is read from the forget set and the test images; those to keep are most of all and come
after it, so that nobody waits for them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from core.data.splits import Indices, Split
from core.evaluation import Passes, measure
from core.metrics.evidence import Evidence
from core.metrics.measures import Evaluation
from core.metrics.registry import METRICS

STAGE = 2_000
"""Images that are measured between two signs of progress."""
LATE = frozenset({"retained"})
"""What a metric needs that cannot be read before all images to keep are measured."""
INSIDE = frozenset({"features", "mirrored"})
"""What it needs that a look inside shows; of all three models it is taken after the last step, so
that nobody waits for it before the first."""


def in_stages(passes: Passes, parts: Split) -> Iterator[bool]:
    """Has all images pass, and pauses between: first the test images and the forget set, then more
    and more of those to keep. Yields whether all has passed that the verdict needs first."""
    first = [("test", part) for part in _stages(parts.test)]
    first += [("train", part) for part in _stages(parts.forget)]
    for place, (side, chosen) in enumerate(first, 1):
        passes.see("test" if side == "test" else "train", chosen)
        yield place == len(first)
    for chosen in _stages(parts.retain):
        passes.see("train", chosen)
        yield True


def _stages(indices: Indices) -> list[Indices]:
    return list(np.split(indices, range(STAGE, len(indices), STAGE)))


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
