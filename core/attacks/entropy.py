"""The entropy of the answer: who is sure has seen the image."""

from __future__ import annotations

import numpy as np

from core.attacks.attack import ThresholdAttack, of_each
from core.attacks.curve import Floats
from core.attacks.probabilities import log_probabilities
from core.metrics.evidence import Seen


def certainty(seen: Seen) -> Floats:
    """Sum of p log p over the classes: the entropy in nats, negative; (n,)."""
    logged = log_probabilities(seen.logits)
    found: Floats = (np.exp(logged) * logged).sum(axis=1)
    return found


def certainty_of_label(seen: Seen) -> Floats:
    """The modified entropy, negative: (1 - p_y) log p_y + sum over i != y of p_i log(1 - p_i);
    least where the network is sure of a wrong class. (n,)."""
    logged = log_probabilities(seen.logits)
    p = np.exp(logged)
    rows = np.arange(len(p))
    rest = np.log1p(-np.minimum(p, 1 - 1e-16))
    terms = p * rest
    terms[rows, seen.labels] = -np.expm1(logged[rows, seen.labels]) * logged[rows, seen.labels]
    found: Floats = terms.sum(axis=1)
    return found


ENTROPY = ThresholdAttack(
    "entropy",
    "entropy attack",
    "A network is surest of what it has seen, whatever it answers (Shokri et al. 2017, arXiv "
    "1610.05820).",
    of_each(certainty),
)
MODIFIED_ENTROPY = ThresholdAttack(
    "modified_entropy",
    "modified entropy attack",
    "How sure the network is of the right answer (Song and Mittal 2021, arXiv 2003.10595).",
    of_each(certainty_of_label),
)
