"""The neighbours of a class: what a network answers in place of what it no longer says."""

from __future__ import annotations

import numpy as np

from core.attacks.attack import ThresholdAttack
from core.attacks.curve import Floats
from core.attacks.probabilities import log_probabilities
from core.metrics.evidence import Evidence, Seen

NEAREST = 3


def without_own(seen: Seen) -> Floats:
    """Probabilities of the other classes, as if the label were none: (n, classes), 0 at the label,
    rows of sum 1."""
    logits = seen.logits.astype(np.float64)
    logits[np.arange(len(logits)), seen.labels] = -np.inf
    return np.asarray(np.exp(log_probabilities(logits.astype(np.float32))))


def of_neighbours(evidence: Evidence) -> tuple[Floats, Floats]:
    """The probability of the `NEAREST` classes that lie next to an image's own, the own one left
    out. Which these are, the unseen images of the class say; of a class without any the prediction
    alone counts."""
    forget, unseen = evidence.forget, evidence.fair_unseen
    shares = without_own(forget), without_own(unseen)
    found = [p.max(axis=1) for p in shares]
    for label in np.unique(unseen.labels):
        mean = shares[1][unseen.labels == label].mean(axis=0)
        nearest = np.argsort(-mean, kind="stable")[:NEAREST]
        for part, p, seen in zip(found, shares, (forget, unseen), strict=True):
            rows = seen.labels == label
            part[rows] = p[rows][:, nearest].sum(axis=1)
    return found[0], found[1]


NEIGHBOURS = ThresholdAttack(
    "neighbours",
    "neighbour attack",
    "Leaves an image's own class out and looks at those next to it: where an answer is only "
    "masked, what the network would say instead gives it away.",
    of_neighbours,
)
