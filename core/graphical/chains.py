"""A chain of hidden states with Gaussian emissions, and what EM needs of it.

All sequences have one length T, so the recursions run over time steps and take all of them at once,
in logarithms (Rabiner, Proc. IEEE 1989, equations 19 to 37). With T = 1 the chain is a mixture.
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
    states: how often each starts, (S,); each move between two, (S, S); how many steps each has,
    (S,); and the sum and the sum of squares of the numbers there, (S, D). Sums over sequences, but
    not of what was seen alone: every responsibility depends on the chain."""

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
    """start (S,), moves (S, S) from row to column, both chances; means and variances (S, D)."""

    start: Floats
    moves: Floats
    means: Floats
    variances: Floats

    def emitted(self, x: Floats) -> Floats:
        """log p(x_t | state), (n, T, S), as -(x^2 / v - 2 x m / v + m^2 / v + log 2 pi v) / 2."""
        precisions = 1 / self.variances
        constant = self.means**2 * precisions + np.log(2 * np.pi * self.variances)
        products = x**2 @ precisions.T - 2 * x @ (self.means * precisions).T
        found: Floats = -0.5 * (products + constant.sum(1))
        return found

    def forward(self, emitted: Floats) -> Floats:
        """log p(x_1 .. x_t, state at t), (n, T, S)."""
        found = np.empty_like(emitted)
        found[:, 0] = np.log(self.start) + emitted[:, 0]
        for t in range(1, emitted.shape[1]):
            found[:, t] = log_product(found[:, t - 1], self.moves) + emitted[:, t]
        return found

    def backward(self, emitted: Floats) -> Floats:
        """log p(x_(t + 1) .. x_T | state at t), (n, T, S)."""
        found = np.zeros_like(emitted)
        for t in range(emitted.shape[1] - 2, -1, -1):
            found[:, t] = log_product(found[:, t + 1] + emitted[:, t + 1], self.moves.T)
        return found

    def log_density(self, x: Floats) -> Floats:
        """log p(x), float64 (n,). x: (n, T, D)."""
        return log_sum(self.forward(self.emitted(x))[:, -1])[:, 0]

    def responsibilities(self, x: Floats) -> tuple[Floats, Floats]:
        """p(state at t | x), (n, T, S), and the sum over sequences and steps of p(state at t - 1,
        state at t | x), (S, S). x: (n, T, D)."""
        emitted = self.emitted(x)
        forward, backward = self.forward(emitted), self.backward(emitted)
        density = log_sum(forward[:, -1])
        before = forward[:, :-1]
        most = before.max(axis=2, keepdims=True, initial=-np.inf)
        after = np.exp(backward[:, 1:] + emitted[:, 1:] + most - density[:, None])
        moves = np.einsum("nts,ntu->su", np.exp(before - most), after) * self.moves
        return np.exp(forward + backward - density[:, None]), moves

    def expected(self, x: Floats) -> Expected:
        """Of these sequences: EM's E-step."""
        return weighted(x, *self.responsibilities(x))

    def objective(self, x: Floats) -> float:
        """What EM never lowers: the log-likelihood of these sequences and of the imagined images,
        starts and moves that `likeliest` adds."""
        seen = IMAGINED[:, None, None] * np.ones_like(self.means)
        imagined = log_normal(seen, self.means, self.variances).sum()
        imagined += np.log(self.start).sum() + np.log(self.moves).sum()
        return float(self.log_density(x).sum() + imagined)


def log_sum(logs: Floats) -> Floats:
    """The logarithm of the sum over the last axis, which stays with length 1."""
    most = logs.max(axis=-1, keepdims=True)
    found: Floats = most + np.log(np.exp(logs - most).sum(axis=-1, keepdims=True))
    return found


def log_product(logs: Floats, chances: Floats) -> Floats:
    """log (exp(logs) @ chances): (n, S) by (S, S), without leaving the range of numbers."""
    most = logs.max(axis=1, keepdims=True)
    found: Floats = most + np.log(np.exp(logs - most) @ chances)
    return found


def weighted(x: Floats, states: Floats, moves: Floats) -> Expected:
    """states: (n, T, S), how much of each step belongs to each state. moves: see `Expected`."""
    return Expected(
        states[:, 0].sum(0),
        moves,
        states.sum((0, 1)),
        np.einsum("nts,ntd->sd", states, x),
        np.einsum("nts,ntd->sd", states, x * x),
    )


def likeliest(expected: Expected) -> Chain:
    """EM's M-step: the chain that is likeliest together with one imagined start in and move to
    each state, and in each an image of paper and one of ink."""
    moves = expected.moves + 1
    means, variances = gaussian(expected.steps[:, None], expected.sums, expected.squares)
    return Chain(
        (expected.starts + 1) / (expected.starts + 1).sum(),
        moves / moves.sum(1, keepdims=True),
        means,
        variances,
    )


def converged(chain: Chain, x: Floats, most: int) -> tuple[Chain, Expected, int]:
    """Steps of EM on these sequences, `most` of them or until `objective` grows by less than
    `TOLERANCE`: the chain, what it expects of them, and how many steps it took."""
    expected, before, steps = chain.expected(x), chain.objective(x), 0
    for _ in range(most):
        chain, steps = likeliest(expected), steps + 1
        expected, after = chain.expected(x), chain.objective(x)
        if after - before < TOLERANCE:
            break
        before = after
    return chain, expected, steps
