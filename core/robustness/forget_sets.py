"""Forget sets that are hard to forget, each as a request for chosen images.

By memorisation: images that were learned by heart leave another trace than typical ones (Feldman &
Zhang, NeurIPS 2020, arXiv 2008.03703; Zhao et al., NeurIPS 2024, arXiv 2406.01257, where also what
is entangled with the images to keep is harder to forget: here the mutual nearest neighbours). And
the worst case (Fan et al., ECCV 2024, arXiv 2403.07362, who find it by bilevel optimisation): the
set on which a method was farthest from the ideal when it forgot each image among others at random.
One class alone, the course report's attack, is a request of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data.requests import ForgetRequest
from core.data.splits import Indices
from core.errors import BadRequest
from core.metrics.evidence import Outcome

Scores = NDArray[Any]
BLOCK = 512
"""Images whose distances to all others stand in memory at a time."""


def highest(
    scores: Scores, count: int, among: Indices | None = None, least: bool = False
) -> ForgetRequest:
    """The `count` images with the highest scores, or the lowest, among equals the earlier ones: the
    most and the least memorised by the scores of `core.checkpoints.memorisation`.

    scores: one number a training image. among: indices of those to choose from, of a class say, all
    by default. Raises BadRequest where there are fewer.
    """
    among = _enough(np.arange(len(scores)) if among is None else among, count)
    order = np.argsort((1 if least else -1) * np.asarray(scores, np.float64)[among], kind="stable")
    return ForgetRequest.of_indices(among[order[:count]])


def mutual_neighbours(features: NDArray[Any], among: Indices | None = None) -> Indices:
    """int64 (m, 2): the pairs of images of which each is the other's nearest, the closest pair
    first, the smaller index first. features: (N, d), of a base (`core.checkpoints.features`).
    among: indices of those to choose from, all by default; the nearest is one of them too."""
    among = np.arange(len(features)) if among is None else among
    points = np.asarray(features, np.float32)[among]
    points = points - points.mean(axis=0)  # the differences below lose fewer digits
    if len(points) < 2:
        return np.empty((0, 2), np.int64)
    squares = (points**2).sum(axis=1)
    nearest = np.empty(len(points), np.int64)
    for start in range(0, len(points), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(points)))
        distances = squares - 2 * points[rows] @ points.T  # but for what is the same in a row
        distances[np.arange(len(rows)), rows] = np.inf
        nearest[rows] = distances.argmin(axis=1)
    own = np.arange(len(points))
    first = np.flatnonzero((nearest[nearest] == own) & (own < nearest))
    second = nearest[first]
    apart = np.linalg.norm(points[first] - points[second], axis=1)
    order = np.argsort(apart, kind="stable")
    pairs: Indices = among[np.stack([first, second], axis=1)[order]]
    return pairs


def neighbours(
    features: NDArray[Any], count: int, among: Indices | None = None, split: bool = False
) -> ForgetRequest:
    """`count` images of the closest pairs of mutual nearest neighbours.

    split: False forgets both of each pair (an odd count, one of the last), so that no model that
    saw the one stands for not having seen the other; True forgets one of each and keeps its twin,
    which goes on teaching what is to be forgotten. The rest is as for `mutual_neighbours`. Raises
    BadRequest where there are too few pairs.
    """
    pairs = mutual_neighbours(features, among)
    return ForgetRequest.of_indices(_enough(pairs[:, 0] if split else pairs.ravel(), count)[:count])


def left_behind(after: Outcome, unseen: Outcome) -> NDArray[np.float64]:
    """What a method left of each image: by how much surer of its label the network is than one that
    never saw it, (N,), -1 to 1; below 0 it forgot too much.

    after: what a network makes of each image once it was to forget it, among others. unseen: what
    one makes of it that never saw it (`core.ideal.Ideal.references`).
    """
    return np.exp(-after.losses.astype(np.float64)) - np.exp(-unseen.losses.astype(np.float64))


def worst_case(left: Scores, labels: Indices, count: int, share: float = 1.0) -> ForgetRequest:
    """The `count` images of which a method left most, or if that is more, of which it forgot too
    much: of all sets of this size the one whose mean of `left` is farthest from 0.

    left: see `left_behind`. labels: int64 (N,). share: of each class, at most. The search is exact:
    with a bound a class the best single images make the best set. Raises BadRequest where there are
    fewer images.
    """
    sets = [_most(sign * np.asarray(left, np.float64), labels, count, share) for sign in (1, -1)]
    worst = max(sets, key=lambda chosen: abs(float(left[chosen].mean())))
    return ForgetRequest.of_indices(worst)


def _most(scores: Scores, labels: Indices, count: int, share: float) -> Indices:
    """The images with the highest scores, of each class at most a share of its images."""
    order = np.argsort(-scores, kind="stable")
    allowed = [
        order[labels[order] == label][: int(share * (labels == label).sum())]
        for label in np.unique(labels)
    ]
    among = np.sort(_enough(np.concatenate(allowed), count))
    return among[np.argsort(-scores[among], kind="stable")[:count]]


def _enough(among: Indices, count: int) -> Indices:
    """The images to choose from, if that many can be chosen."""
    if not 1 <= count <= len(among):
        raise BadRequest(
            f"{count:,} images are asked for, and there are {len(among):,} to choose from.",
            "Give a count of at least 1 and at most that.",
        )
    return among
