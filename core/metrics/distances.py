"""How far a model's answers on the forget set lie from those of the ideal, image by image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from core.attacks.curve import Floats
from core.attacks.probabilities import log_probabilities
from core.metrics.evidence import Evidence, Logits
from core.metrics.measures import Measure, of_images
from core.metrics.metric import LOGITS, Metric


def jensen_shannon(first: Floats, second: Floats) -> Floats:
    """The divergence of two answers in bits, 0 to 1, (n,). first, second: log probabilities (n,
    classes)."""
    p, q = np.exp(first), np.exp(second)
    middle = np.log(np.maximum((p + q) / 2, 1e-300))
    each = (p * (first - middle)).sum(axis=1) + (q * (second - middle)).sum(axis=1)
    found: Floats = np.clip(each / (2 * np.log(2)), 0.0, 1.0)
    return found


def activation_distance(first: Floats, second: Floats) -> Floats:
    """The Euclidean distance of the probabilities, 0 to the root of 2, (n,) (Golatkar et al. 2021,
    arXiv 2012.13431). As in `jensen_shannon`."""
    found: Floats = np.linalg.norm(np.exp(first) - np.exp(second), axis=1)
    return found


def _distance(name: str, label: str, sentence: str, of: Callable[..., Floats]) -> Metric:
    def measure(evidence: Evidence) -> Measure | None:
        ideal = evidence.ideal
        if ideal is None or "logits" not in ideal.provides:
            return None
        answers = (log_probabilities(_finite(e.forget.logits)) for e in (evidence, ideal))
        return of_images(of(*answers).astype(np.float32), high=np.sqrt(2))

    return Metric(name, label, sentence, measure, LOGITS | {"ideal"}, slow=True)


def _finite(logits: Logits) -> Floats:
    return np.nan_to_num(logits.astype(np.float64), nan=0.0, posinf=1e4, neginf=-1e4)


JS = _distance(
    "js_forget",
    "JS divergence to the ideal",
    "How different its answers on the images to forget are from the retrained network's; 0 is the "
    "same.",
    jensen_shannon,
)
ACTIVATION = _distance(
    "activation_distance",
    "activation distance",
    "The mean distance between its probabilities on the images to forget and the retrained "
    "network's; 0 is the same.",
    activation_distance,
)
