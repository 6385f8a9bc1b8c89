"""Forget sets that are hard to forget: the right images, by hand and by brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from core.data.digits import digits
from core.data.requests import ForgetRequest
from core.data.splits import split
from core.errors import BadRequest
from core.evaluation import per_image
from core.metrics.evidence import Outcome
from core.models.recipe import Recipe
from core.robustness import forget_sets
from core.robustness.forget_sets import (
    highest,
    left_behind,
    mutual_neighbours,
    neighbours,
    worst_case,
)
from tests import tiny

pytestmark = pytest.mark.usefixtures("small_compact")

N = 120
"""Of the digits."""
BY_HEART = Recipe(epochs=12, clean_epochs=12, batch_size=16, learning_rate=0.1)

LINE = np.array([[0.0], [1.0], [1.5], [10.0], [12.0], [99.0]])
"""The nearest of each: 1, 2, 1, 4, 3, 4."""


def test_the_most_and_the_least_memorised_of_a_class() -> None:
    scores = np.array([0.9, 0.1, 0.5, 0.7, 0.2, 0.7], np.float16)
    of_class = np.arange(1, 6)
    assert highest(scores, 2, of_class).indices == (3, 5)
    assert highest(scores, 1, of_class).indices == (3,)  # the earlier of equals
    assert highest(scores, 3, of_class, least=True).indices == (1, 2, 4)
    with pytest.raises(BadRequest, match="6 images are asked for, and there are 5"):
        highest(scores, 6, of_class)
    assert highest(scores, 1).indices == (0,)


def test_a_request_is_forgotten_as_it_is() -> None:
    data = tiny.dataset()
    scores = np.random.default_rng(0).random(64)
    request = highest(scores, 4, np.flatnonzero(data.train_labels.numpy() == 2))
    parts = split(data, request)
    assert parts.forget.tolist() == list(request.indices)
    assert set(data.train_labels[parts.forget].tolist()) == {2}
    assert ForgetRequest.from_json(request.to_json()) == request


def test_mutual_neighbours_on_a_line() -> None:
    assert mutual_neighbours(LINE).tolist() == [[1, 2], [3, 4]]
    assert mutual_neighbours(LINE, np.array([0, 1, 5])).tolist() == [[0, 1]]
    assert mutual_neighbours(LINE, np.array([5])).tolist() == []


@pytest.mark.parametrize("block", [7, 512])
def test_mutual_neighbours_by_brute_force(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forget_sets, "BLOCK", block)
    points = 100 + np.random.default_rng(0).normal(size=(60, 5))
    among = np.arange(60)[::2]
    distances = np.linalg.norm(points[among, None] - points[None, among], axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(axis=1)
    expected = [
        (distances[i, j], among[i], among[j])
        for i, j in enumerate(nearest)
        if i < j and nearest[j] == i
    ]
    pairs = [(i, j) for _, i, j in sorted(expected)]
    assert [tuple(pair) for pair in mutual_neighbours(points.astype(np.float32), among)] == pairs


def test_both_of_each_pair_or_one_of_them() -> None:
    assert neighbours(LINE, 4).indices == (1, 2, 3, 4)
    assert neighbours(LINE, 3).indices == (1, 2, 3)
    assert neighbours(LINE, 2, split=True).indices == (1, 3)
    with pytest.raises(BadRequest, match="3 images are asked for, and there are 2"):
        neighbours(LINE, 3, split=True)


def outcome(*losses: float) -> Outcome:
    return Outcome(np.array(losses, np.float32), np.zeros(len(losses), np.int64))


def test_what_was_left_of_an_image() -> None:
    left = left_behind(outcome(0, 0.5, np.log(2)), outcome(np.log(4), 0.5, 0))
    np.testing.assert_allclose(left, [0.75, 0, -0.5], atol=1e-6)


@pytest.mark.parametrize("shift", [-0.5, 0.0, 0.5])
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_the_worst_set_by_brute_force(shift: float, share: float) -> None:
    draw = np.random.default_rng(3)
    left, labels = draw.normal(size=12) + shift, np.arange(12) % 3
    allowed = [
        chosen
        for chosen in itertools.combinations(range(12), 4)
        if np.bincount(labels[list(chosen)]).max() <= 4 * share
    ]
    worst = max(allowed, key=lambda chosen: abs(left[list(chosen)].mean()))
    assert worst_case(left, labels, 4, share).indices == worst


def test_more_or_fewer_than_there_are() -> None:
    left, labels = np.ones(10), np.arange(10) % 2
    assert worst_case(left, labels, 10).indices == tuple(range(10))
    for count in (0, 11):
        with pytest.raises(BadRequest, match="Give a count of at least 1"):
            worst_case(left, labels, count)
    with pytest.raises(BadRequest, match="5 images are asked for, and there are 4"):
        worst_case(left, labels, 5, share=0.4)


def test_the_worst_set_is_worse_for_other_models_than_random_ones() -> None:
    """Searched with the evidence of one pair of halves, and held against that of another seed's:
    digits, a fifth of whose labels are wrong, so that some images are learned by heart."""
    whole = digits()
    labels = whole.train_labels[:N].numpy()

    def left(seed: int) -> np.ndarray:
        """Where nothing is done."""
        images = [tiny.images(whole, range(k, n, 2)) for k, n in ((0, N), (1, N))]
        halves = [tiny.trained(half, BY_HEART, seed).model for half in images]
        base = tiny.trained(tiny.images(whole, range(N)), BY_HEART, seed).model
        seen, *unseen = (
            per_image(model, whole.train_images[:N], whole.train_labels[:N])
            for model in (base, *halves)
        )
        together = Outcome.blank(N, 10)
        for half, other in enumerate(reversed(unseen)):
            together.put(np.arange(half, N, 2), other.at(np.arange(half, N, 2)))
        return left_behind(seen, together)

    searched, held = left(0), left(1)
    found = list(worst_case(searched, labels, N // 10, share=0.3).indices)
    draw = np.random.default_rng(0)
    others = [held[draw.permutation(N)[: N // 10]].mean() for _ in range(1000)]
    assert held[found].mean() > np.quantile(others, 0.99)
