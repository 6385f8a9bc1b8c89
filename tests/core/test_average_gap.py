"""The average gap by hand, its interval against known sampling, and what is called a tie."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from core.attacks.simple_mia import accuracy, hits
from core.data.request_text import parse_request
from core.data.requests import ForgetRequest
from core.data.splits import Split, split
from core.errors import BadRequest
from core.evaluation import evaluate
from core.metrics.average_gap import (
    TERMS,
    Gap,
    attack_count,
    gap,
    mean_gap,
    nearer,
    paired,
    shares,
    unpaired,
)
from core.metrics.evidence import Outcome
from core.metrics.measures import Evaluation
from tests import tiny

DATA = tiny.dataset(train=600, test=400)


def outcome(labels, seed: int, right: float, scale: float = 1.0) -> Outcome:
    """Of a model that is right so often, its losses at random."""
    draw = np.random.default_rng(seed)
    labels = np.asarray(labels)
    wrong = draw.random(len(labels)) >= right
    losses = draw.gamma(0.4, scale, len(labels)).astype(np.float32)
    return Outcome(losses, (labels + wrong) % 10)


def model(seed: int, right: float, scale: float = 1.0) -> tuple[Outcome, Outcome]:
    return (
        outcome(DATA.train_labels, seed, right, scale),
        outcome(DATA.test_labels, seed + 1, right - 0.1),
    )


def measured(parts: Split, *about: float) -> Evaluation:
    return evaluate(*model(*about), DATA.train_labels, DATA.test_labels, parts)


def test_by_hand() -> None:
    """Accuracies of 1.0, .99, .9 and an attack's of .6 beside .9, 1.0, .88 and .5."""
    found = unpaired([1.0, 0.99, 0.9, 0.6], [0.9, 1.0, 0.88, 0.5], [1000] * 4)
    assert found.value == pytest.approx((10 + 1 + 2 + 10) / 4)
    assert unpaired([0.5] * 4, [0.5] * 4, [1000] * 4).value == 0


@pytest.mark.parametrize("text", ["random:0.2", "class:c"])
def test_the_shares_are_the_evaluation_image_by_image(text: str) -> None:
    request = parse_request(text)
    parts, by_class = split(DATA, request), request.class_matched
    models = measured(parts, 0, 0.97), measured(parts, 10, 0.9, 2.0)
    numbers = []
    for found in models:
        metrics = found.metrics()
        numbers.append(np.array([metrics[name]["value"] for name in TERMS[by_class]]))
        sums = sum(part.mean(axis=0) for part in shares(found, by_class))
        np.testing.assert_allclose(sums, numbers[-1], atol=1e-12)
    apart = gap(*models, by_class)
    assert apart is not None
    assert apart.value == pytest.approx(100 * np.abs(numbers[0] - numbers[1]).mean())
    assert apart.low < apart.value < apart.high


@pytest.mark.parametrize(("forget", "test", "rounds"), [(40, 40, 1), (33, 90, 4), (90, 33, 4)])
def test_hits_are_the_attacks_accuracy(forget: int, test: int, rounds: int) -> None:
    draw = np.random.default_rng(3)
    losses = draw.gamma(0.4, 1, forget), draw.gamma(0.4, 3, test)
    found = hits(*losses, seed=2, subsamples=rounds)
    assert found is not None
    assert [len(side) for side in found] == [forget, test]
    expected = accuracy(*losses, seed=2, subsamples=rounds)
    assert (found[0].mean() + found[1].mean()) / 2 == pytest.approx(expected, abs=1e-12)
    assert hits(losses[0][:9], losses[1]) is None


def test_too_few_images() -> None:
    found = measured(split(DATA, ForgetRequest.random(9)), 0, 0.9)
    with pytest.raises(BadRequest, match="too few"):
        shares(found, False)
    assert gap(found, found, False) is None


def test_no_gap_to_a_model_that_is_not_there() -> None:
    found = measured(split(DATA, ForgetRequest.random(20)), 0, 0.9)
    assert gap(found, None, False) is gap(None, found, False) is None
    assert gap(found, found, False) == (0, 0, 0)


def test_identical_models_are_no_distance_apart() -> None:
    found = (np.random.default_rng(0).random((50, 4)),)
    assert paired(found, found) == (0, 0, 0)


def population(draw, differences: list[float], agree: float = 0.6):
    """Two models whose numbers differ by so much; one set of images for each number."""

    def some(n: int):
        sets = [], []
        for column, difference in enumerate(differences):
            columns = np.zeros((2, n, 4))
            chance = draw.random(n)
            # On some images both models stand or fall together, on others each by itself.
            other = np.where(draw.random(n) < agree, chance, draw.random(n))
            columns[0, :, column] = chance < 0.5 + difference
            columns[1, :, column] = other < 0.5
            for side, found in zip(sets, columns, strict=True):
                side.append(found)
        return tuple(sets[0]), tuple(sets[1])

    return some


@pytest.mark.parametrize("differences", [[0] * 4, [0.01] * 4, [0.1, 0, 0, 0], [0.1, -0.1, 0.2, 0]])
@pytest.mark.parametrize("kept", ["images", "numbers"])
def test_the_interval_covers(differences: list[float], kept: str) -> None:
    """The truth, from known chances, lies in 95 of 100 intervals or more, near 0 as well."""
    draw = np.random.default_rng(5)
    some = population(draw, differences)
    truth = 100 * np.mean(np.abs(differences))
    inside, widths, n = 0, [], 300
    for seed in range(100):
        one, other = some(n)
        if kept == "images":
            gap = paired(one, other, seed)
        else:
            numbers = [sum(part.mean(axis=0) for part in side) for side in (one, other)]
            gap = unpaired(*numbers, [n] * 4, seed)
        inside += gap.low <= truth <= gap.high
        widths.append(gap.high - gap.low)
    assert inside >= 89  # 95 expected of 100, three standard deviations less
    assert np.mean(widths) < 14  # and it is not the width of everything


def test_pairing_is_worth_something() -> None:
    one, other = population(np.random.default_rng(1), [0.05] * 4)(1000)
    numbers = [sum(part.mean(axis=0) for part in side) for side in (one, other)]
    alone, together = unpaired(*numbers, [1000] * 4), paired(one, other)
    assert alone.value == pytest.approx(together.value)
    assert together.high - together.value < 0.8 * (alone.high - alone.value)


def test_the_attack_counts_as_many_guesses_as_it_strays() -> None:
    flips = (np.random.default_rng(0).random((5000, 4)) < 0.5).astype(float)
    assert attack_count((flips,)) == pytest.approx(5000, rel=0.01)
    draw = np.random.default_rng(0)
    values, counts = [], []
    for _ in range(60):
        spied = hits(draw.gamma(0.4, 1, 200), draw.gamma(0.4, 2, 200))
        sides = [np.zeros((200, 4)) for _ in range(2)]
        for side, found in zip(sides, spied, strict=True):
            side[:, 3] = found / 2
        values.append(sum(side[:, 3].mean() for side in sides))
        counts.append(attack_count(tuple(sides)))
    value = np.mean(values)
    assert np.mean(counts) == pytest.approx(value * (1 - value) / np.var(values), rel=0.45)
    assert np.mean(counts) < 400  # its random tests stray further than one test of all images


def test_ties() -> None:
    near, close, far = Gap(0.2, 0, 0.9), Gap(0.7, 0.1, 1.3), Gap(3.0, 2.4, 3.6)
    assert not nearer(near, close)
    assert not nearer(close, near)
    assert nearer(near, far)
    assert not nearer(far, near)
    assert not any(nearer(gap, gap) for gap in (near, close, far))
    mean = mean_gap([Gap(1, 0, 2), Gap(3, 2, 4)])
    assert mean == (2, 1, 3)  # seeds on the same images: no narrower


def test_a_difference_of_gaps_that_is_none_is_seldom_called_one() -> None:
    draw = np.random.default_rng(8)
    some = population(draw, [0.02, 0, 0.01, 0])
    gaps = [paired(*some(400), seed) for seed in range(60)]
    pairs = list(itertools.pairwise(gaps))
    assert sum(nearer(*pair) or nearer(*pair[::-1]) for pair in pairs) <= 0.08 * len(pairs)
