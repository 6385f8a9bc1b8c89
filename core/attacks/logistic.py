"""Logistic regressions on one feature, a thousand at once, for a bootstrap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def fit(
    x: Floats, weights: Floats, slope: float = 0.0, intercept: float = 0.0
) -> tuple[Floats, Floats]:
    """Weighted logistic regressions on one feature, many at once, by Newton's method.

    x: (groups,). weights: (2, fits, groups), of members and of the others. Minimises, for each fit,
    the weighted sum of log losses plus slope^2 / 2, as scikit-learn's default does, from the given
    start. Returns slopes and intercepts (fits,).
    """
    member, other = weights
    total = member + other
    # Newton's steps do not depend on the feature's scale; the numbers behind them do.
    middle, scale = float(np.average(x, weights=total.sum(0))), max(float(x.std()), 1e-12)
    z = (x - middle) / scale
    penalty = 1 / scale**2
    a = np.full(len(member), slope * scale)
    b = np.full(len(member), intercept + slope * middle)

    def objective(a: Floats, b: Floats) -> Floats:
        score = a[:, None] * z + b[:, None]
        positive = np.logaddexp(0, score)
        value: Floats = (total * positive - member * score).sum(1) + penalty * a * a / 2
        return value

    current = objective(a, b)
    for _ in range(30):
        p = 0.5 + 0.5 * np.tanh((a[:, None] * z + b[:, None]) / 2)
        error = total * p - member
        curve = total * p * (1 - p)
        grad_a, grad_b = error @ z + penalty * a, error.sum(1)
        haa, hab, hbb = curve @ (z * z) + penalty, curve @ z, curve.sum(1) + 1e-9
        det = haa * hbb - hab * hab
        step_a = (hbb * grad_a - hab * grad_b) / det
        step_b = (haa * grad_b - hab * grad_a) / det
        size = np.ones(len(a))
        for _ in range(12):  # halved where a full step overshoots
            proposed = objective(a - size * step_a, b - size * step_b)
            worse = ~(proposed <= current + 1e-9)
            if not worse.any():
                break
            size[worse] /= 2
        a, b = a - size * step_a, b - size * step_b
        done = np.abs(current - proposed).max() < 1e-3
        current = proposed
        if done:
            break
    return a / scale, b - a * middle / scale
