"""A chain of hidden states with Gaussian emissions, and what EM needs of it.

All sequences have one length T, so the recursions run over time steps and take all of them at once,
in logarithms (Rabiner, Proc. IEEE 1989, equations 19 to 37). Every step has states, moves and
emissions of its own, so a state is one way in which that step can look. With T = 1 the chain is a
mixture.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from core.graphical.model import Floats
from core.graphical.naive_bayes import IMAGINED, gaussian, log_normal

TOLERANCE = 1e-2
"""EM has converged where the log-likelihood of all sequences grows by less, in nats."""


@dataclass(frozen=True, eq=False)
class Expected:
    """Expected sufficient statistics of sequences, by the responsibilities that a chain gives its
    states: how often each starts, (S,); each move from one step to the next, (T - 1, S, S); how
    many sequences each has at each step, (T, S); and the sum and the sum of squares of the numbers
    there, (T, S, D). Sums over sequences, but not of what was seen alone: every responsibility
    depends on the chain."""

    starts: Floats
    moves: Floats
    steps: Floats
    sums: Floats
    squares: Floats

    def less(self, other: Expected) -> Expected:
        """Without what is expected of some of the sequences; rounding leaves nothing below 0."""
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return Expected(*(np.maximum(mine - its, 0.0) for mine, its in pairs))


@dataclass(frozen=True, eq=False)
class Chain:
    """start (S,) and moves (T - 1, S, S) from row to column, both chances; means and variances
    (T, S, D)."""

    start: Floats
    moves: Floats
    means: Floats
    variances: Floats

    def emitted(self, x: Floats) -> Floats:
        """log p(x_t | state), (n, T, S), as -(x^2 / v - 2 x m / v + m^2 / v + log 2 pi v) / 2."""
        precisions = 1 / self.variances
        constant = self.means**2 * precisions + np.log(2 * np.pi * self.variances)
        steps = x.swapaxes(0, 1)
        products = steps**2 @ precisions.swapaxes(1, 2)
        products -= 2 * steps @ (self.means * precisions).swapaxes(1, 2)
        found: Floats = -0.5 * (products.swapaxes(0, 1) + constant.sum(2))
        return found

    def filtered(self, emitted: Floats) -> tuple[Floats, Floats, Floats]:
        """p(state at t | x_1 .. x_(t - 1)) and p(state at t | x_1 .. x_t), both (n, T, S), and
        log p(x_t | x_1 .. x_(t - 1)), (n, T, 1). Every state is reached from every other, so
        none of the sums below is 0."""
        most = emitted.max(axis=2, keepdims=True)
        seen = np.exp(emitted - most)
        predicted, found, scale = np.empty_like(seen), np.empty_like(seen), np.empty_like(most)
        for t in range(seen.shape[1]):
            predicted[:, t] = found[:, t - 1] @ self.moves[t - 1] if t else self.start
            joint = predicted[:, t] * seen[:, t]
            scale[:, t] = joint.sum(axis=1, keepdims=True)
            found[:, t] = joint / scale[:, t]
        return predicted, found, np.log(scale) + most

    def last(self, x: Floats) -> Floats:
        """log p(x, state at T), (n, S). x: (n, T, D)."""
        emitted = self.emitted(x)
        predicted, _, densities = self.filtered(emitted)
        found: Floats = np.log(predicted[:, -1]) + emitted[:, -1] + densities[:, :-1].sum(1)
        return found

    def log_density(self, x: Floats) -> Floats:
        """log p(x), float64 (n,). x: (n, T, D)."""
        found: Floats = self.filtered(self.emitted(x))[2].sum((1, 2))
        return found

    def responsibilities(self, x: Floats) -> tuple[Floats, Floats, Floats]:
        """p(state at t | x), (n, T, S); the sum over sequences of p(state at t, state at t + 1 |
        x), (T - 1, S, S); and log p(x), (n,). x: (n, T, D)."""
        emitted = self.emitted(x)
        _, found, densities = self.filtered(emitted)
        seen = np.exp(emitted - densities)
        later = np.ones_like(seen)  # p(x_(t + 1) .. x_T | state at t, x_1 .. x_t) / p(the same)
        for t in range(seen.shape[1] - 2, -1, -1):
            later[:, t] = (later[:, t + 1] * seen[:, t + 1]) @ self.moves[t].T
        after = (later * seen)[:, 1:].swapaxes(0, 1)
        moves = found[:, :-1].transpose(1, 2, 0) @ after * self.moves
        return found * later, moves, densities.sum((1, 2))

    def expected(self, x: Floats) -> tuple[Expected, float]:
        """Of these sequences, EM's E-step; and what EM never lowers, their log-likelihood with that
        of the imagined images, starts and moves that `likeliest` adds."""
        states, moves, density = self.responsibilities(x)
        seen = IMAGINED[:, None, None, None] * np.ones_like(self.means)
        imagined = log_normal(seen, self.means, self.variances).sum()
        imagined += np.log(self.start).sum() + np.log(self.moves).sum()
        return weighted(x, states, moves), float(density.sum() + imagined)


def log_sum(logs: Floats) -> Floats:
    """The logarithm of the sum over the last axis, which stays with length 1."""
    most = logs.max(axis=-1, keepdims=True)
    found: Floats = most + np.log(np.exp(logs - most).sum(axis=-1, keepdims=True))
    return found


def weighted(x: Floats, states: Floats, moves: Floats) -> Expected:
    """states: (n, T, S), how much of each step belongs to each state. moves: see `Expected`."""
    shares, steps = states.transpose(1, 2, 0), x.swapaxes(0, 1)
    return Expected(states[:, 0].sum(0), moves, states.sum(0), shares @ steps, shares @ steps**2)


def likeliest(expected: Expected) -> Chain:
    """EM's M-step: the chain that is likeliest together with one imagined start in and move to
    each state, and in each an image of paper and one of ink."""
    moves = expected.moves + 1
    means, variances = gaussian(expected.steps[..., None], expected.sums, expected.squares)
    return Chain(
        (expected.starts + 1) / (expected.starts + 1).sum(),
        moves / moves.sum(2, keepdims=True),
        means,
        variances,
    )


def converged(chain: Chain, x: Floats, most: int) -> tuple[Chain, Expected, int]:
    """Steps of EM on these sequences, `most` of them or until what it never lowers grows by less
    than `TOLERANCE`: the chain, what it expects of them, and how many steps it took."""
    (expected, before), steps = chain.expected(x), 0
    for _ in range(most):
        chain, steps = likeliest(expected), steps + 1
        expected, after = chain.expected(x)
        if after - before < TOLERANCE:
            break
        before = after
    return chain, expected, steps
