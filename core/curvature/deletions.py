"""Influence checked by deletion: what it predicts of one test loss when training images are left
out, and what refitting the last layer without them does to it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.curvature.head import with_bias
from core.curvature.head_fit import FittedHead, losses_of_heads

Kind = Literal["chosen", "misled it", "helped it", "at random"]
SINGLE, GROUPS, RANDOM, SIZE = 4, 4, 6, 5
"""Left out one by one, and in groups, from either end of the ranking; and groups at random."""


@dataclass(frozen=True)
class Deletions:
    """One test image, and several sets of training images left out, the chosen one first.

    kinds, sizes: (k,) what each set is, and how many images it has. predicted, actual: (k,) by how
    much the test loss moves, in nats. before, after: (classes,) the probabilities that the head
    gives the test image, with all images and without the chosen set. loss: before, in nats.
    """

    kinds: tuple[Kind, ...]
    sizes: tuple[int, ...]
    predicted: NDArray[np.float64]
    actual: NDArray[np.float64]
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    loss: float

    @property
    def correlation(self) -> float:
        """Pearson's, between what was predicted and what happened; NaN where nothing moved."""
        if not (np.ptp(self.predicted) > 0 and np.ptp(self.actual) > 0):
            return float("nan")
        return float(np.corrcoef(self.predicted, self.actual)[0, 1])

    @property
    def slope(self) -> float:
        """What happened as a multiple of what was predicted: the least-squares line through 0."""
        size = float(self.predicted @ self.predicted)
        return float(self.predicted @ self.actual) / size if size else float("nan")


def deletion_sets(
    influence: NDArray[np.float64], chosen: Sequence[int], seed: int = 0
) -> list[tuple[Kind, NDArray[np.int64]]]:
    """The chosen images, and others to compare with: the strongest of both signs one by one and in
    groups of five (but not the chosen ones again), and fives at random. influence: (n,), on one
    test image."""
    order = np.argsort(influence, kind="stable")
    ends: tuple[tuple[Kind, NDArray[np.int64]], ...] = (
        ("misled it", order[::-1]),
        ("helped it", order),
    )
    sets: list[tuple[Kind, NDArray[np.int64]]] = [("chosen", np.asarray(chosen, np.int64))]
    for kind, ranked in ends:
        cuts = [(i, i + 1) for i in range(SINGLE)]
        cuts += [(SIZE * i, SIZE * (i + 1)) for i in range(GROUPS)]
        groups = (ranked[first:last].copy() for first, last in cuts)
        sets += [(kind, g) for g in groups if len(g) and set(g.tolist()) != set(chosen)]
    draw = np.random.default_rng(seed)
    size = min(SIZE, len(order))
    sets += [("at random", draw.choice(len(order), size, replace=False)) for _ in range(RANDOM)]
    return sets


def check_deletions(
    head: FittedHead,
    influence: NDArray[np.float64],
    features: Tensor,
    label: int,
    chosen: Sequence[int],
) -> Generator[tuple[int, int], None, Deletions]:
    """Leaves the chosen images out, and the sets of `deletion_sets`, and refits the head without
    each, to convergence. influence: (n,), of each training image on the test image with these
    features (d,) and this label. Yields (done, total) batches."""
    kinds, sets = zip(*deletion_sets(influence, chosen), strict=True)
    refitted = yield from head.without(sets)
    heads = torch.cat([head.weights[None], refitted])
    losses = losses_of_heads(heads, features[None], torch.tensor([label]))[:, 0]
    answers = (with_bias(features[None]) @ heads[:2].mT).softmax(-1)[:, 0].numpy()
    return Deletions(
        kinds,
        tuple(len(some) for some in sets),
        np.array([-influence[some].sum() for some in sets]),
        losses[1:] - losses[0],
        answers[0],
        answers[1],
        float(losses[0]),
    )


LADDER = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
"""So many of the images that misled most are left out, one number after the other."""


@dataclass(frozen=True)
class Turned:
    """count: how many of the images that misled most were left out until the head was right, or the
    most that were tried where it never was (`right` says which). after: (classes,) the
    probabilities that it then gives."""

    count: int
    right: bool
    after: NDArray[np.float64]


def until_right(
    head: FittedHead, influence: NDArray[np.float64], features: Tensor, label: int
) -> Generator[tuple[int, int], None, Turned]:
    """Leaves out the images that misled a test image most, more and more of `LADDER`, until the
    head refitted without them gives it its label. At most a fifth of the images are left out, and
    only such as misled; where none did it is as it was. The rest as in `check_deletions`."""
    ranked = np.argsort(-influence, kind="stable")
    most = min(int((influence > 0).sum()), len(ranked) // 5)
    sizes = [size for size in LADDER if size <= most] or [0]
    refitted = yield from head.without([ranked[:size].copy() for size in sizes])
    answers = (with_bias(features[None]) @ refitted.mT).softmax(-1)[:, 0].numpy()
    right = answers.argmax(1) == label
    first = int(right.argmax()) if right.any() else len(sizes) - 1
    return Turned(sizes[first], bool(right[first]), answers[first])
