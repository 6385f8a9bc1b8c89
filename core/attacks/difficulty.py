"""Simple membership inference beside test images that are as hard.

What a network knows by heart are its hardest images. Beside all test images even a network that
never saw them looks guilty, of finding them hard; beside test images that models which never saw
either find as hard, only what was learned is left.
"""

from __future__ import annotations

import numpy as np

from core.attacks import simple_mia
from core.attacks.attack import ROUNDS
from core.data.splits import Indices
from core.metrics.evidence import Evidence
from core.metrics.measures import Losses, Measure
from core.metrics.metric import Metric

CALIPER = 0.2
"""Standard deviations by which two images matched for difficulty may differ, as is usual for
matched samples (Austin 2011)."""


def as_hard(forget: Losses, unseen: Losses) -> tuple[Indices, Indices]:
    """Positions of images to forget and of an unseen one for each: the nearest in difficulty that
    no other has, the hardest image first; an image without any within `CALIPER` is left out.

    forget, unseen: the losses of models that never saw the image, (n,). They are compared on a
    logarithmic scale.
    """
    ours, others = (np.log(np.maximum(losses, 1e-12)) for losses in (forget, unseen))
    order = np.argsort(others, kind="stable")
    sorted_others = others[order]
    free = np.ones(len(order), bool)
    farthest = CALIPER * float(ours.std())
    pairs = []
    for image in np.argsort(-ours, kind="stable"):
        first, last = np.searchsorted(
            sorted_others, [ours[image] - farthest, ours[image] + farthest]
        )
        near = first + np.flatnonzero(free[first:last])
        if len(near):
            chosen = near[np.argmin(np.abs(sorted_others[near] - ours[image]))]
            free[chosen] = False
            pairs.append((image, order[chosen]))
    matched = np.array(sorted(pairs), np.int64).reshape(-1, 2)
    return matched[:, 0], matched[:, 1]


def _measure(evidence: Evidence) -> Measure | None:
    forget, unseen = evidence.forget, evidence.unseen()
    ours, others = as_hard(forget.by_reference.losses, unseen.by_reference.losses)
    return simple_mia.attack(forget.losses[ours], unseen.losses[others], subsamples=ROUNDS)


DIFFICULTY = Metric(
    f"{simple_mia.SIMPLE.name}_difficulty_matched",
    f"difficulty-matched {simple_mia.SIMPLE.label}",
    f"{simple_mia.SIMPLE.sentence} Against new images that are as hard to those who saw neither.",
    _measure,
    simple_mia.SIMPLE.needs | {"references"},
    slow=True,
)
