"""Logits as attacks read them: in float64, for float32 losses tie near 0."""

from __future__ import annotations

import numpy as np

from core.attacks.curve import Floats
from core.data.splits import Indices
from core.metrics.evidence import Logits


def log_probabilities(logits: Logits | Floats) -> Floats:
    """The logarithm of the softmax, float64 (n, classes)."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    logged: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return logged


def margins(logits: Logits, labels: Indices) -> Floats:
    """log p of the label less log p of the likeliest other class, float64 (n,): what the label's
    logit is above the largest other. labels: int64 (n,)."""
    rows = np.arange(len(labels))
    values = logits.astype(np.float64)
    own = values[rows, labels]
    values[rows, labels] = -np.inf
    found: Floats = own - values.max(axis=1)
    return found


def confidences(logits: Logits, labels: Indices) -> Floats:
    """log p - log (1 - p) of the label, float64 (n,): what its logit is above the logarithm of the
    sum of the others' exponentials. labels: int64 (n,)."""
    rows = np.arange(len(labels))
    values = logits.astype(np.float64)
    own = values[rows, labels]
    values[rows, labels] = -np.inf
    most = values.max(axis=1)
    found: Floats = own - most - np.log(np.exp(values - most[:, None]).sum(axis=1))
    return found


def calibration(logits: Logits, labels: Indices) -> float:
    """What a model's logits are to be multiplied by to be calibrated on images that it never saw:
    one over the temperature of Guo et al. 2017 (arXiv 1706.04599). With it no division of the
    logits changes what an attack sees. logits: of these images (n, classes); labels: int64 (n,).

    Newton's method on the logarithm of the scale, from one at which the logits are of unit size,
    for the least cross-entropy.
    """
    found = np.nan_to_num(logits.astype(np.float64), nan=0.0, posinf=1e4, neginf=-1e4)
    rows = np.arange(len(labels))
    # By how much the largest leads the middle one: no single class that is masked weighs in it.
    size = float(np.median(found.max(axis=1) - np.median(found, axis=1))) or 1.0
    found /= size
    logged = 0.0
    for _ in range(50):
        scale = np.exp(logged)
        p = np.exp(log_probabilities(found * scale))
        mean = (p * found).sum(axis=1)
        gradient = scale * float((mean - found[rows, labels]).mean())
        variance = float(((p * found**2).sum(axis=1) - mean**2).mean())
        curvature = scale**2 * variance + gradient
        step = gradient / curvature if curvature > 1e-9 else np.sign(gradient)
        logged = float(np.clip(logged - np.clip(step, -1.0, 1.0), -7.0, 7.0))
        if abs(step) < 1e-6:
            break
    return float(np.exp(logged)) / size
