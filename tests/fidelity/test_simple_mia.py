"""Simple MIA against the starting kit's procedure, spelled out, and against known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit

from core.attacks.logistic import fit
from core.attacks.simple_mia import _group, attack, simple_mia
from core.metrics.measures import wilson


def losses(seed: int, n: int, scale: float = 1.0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).gamma(0.4, scale, n).astype(np.float32)


def split_fit_score(x: NDArray, y: NDArray, n_splits: int, random_state: int) -> list[float]:
    """The starting kit's cross-validation with nothing left to scikit-learn's `cross_val_score`."""
    scores = []
    splits = StratifiedShuffleSplit(n_splits=n_splits, random_state=random_state)
    for train, test in splits.split(x, y):
        fitted = LogisticRegression().fit(x[train], y[train])
        scores.append(float(np.mean(fitted.predict(x[test]) == y[test])))
    return scores


@pytest.mark.parametrize(("n_splits", "random_state"), [(10, 0), (4, 7)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_simple_mia_is_split_fit_and_score(n_splits, random_state, dtype):
    x = np.concatenate([losses(0, 300), losses(1, 300, 0.3)])[:, None].astype(dtype)
    y = np.repeat([0, 1], 300)
    scores = simple_mia(x, y, n_splits, random_state)
    assert scores.shape == (n_splits,)
    assert scores.tolist() == split_fit_score(x, y, n_splits, random_state)


def test_simple_mia_takes_several_features():
    x = np.stack([losses(0, 200), losses(1, 200)], axis=1)
    y = np.tile([0, 1], 100)
    assert simple_mia(x, y).tolist() == split_fit_score(x, y, 10, 0)


def test_simple_mia_of_a_fixed_input():
    # A known value: the function as the starting kit has it, on this input (scikit-learn 1.9).
    x = (np.arange(100) * 7 % 50 / 10.0)[:, None]
    x[50:] *= 0.5
    expected = [0.7, 0.5, 0.7, 0.6, 0.6, 0.8, 0.5, 0.7, 0.5, 0.9]
    assert simple_mia(x, np.repeat([0, 1], 50)).tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    "members", [[0] * 20, [1] * 20, [0, 2] * 10, [0, 1, 2, 3] * 5, [-1, 1] * 10, []]
)
def test_simple_mia_refuses_other_labels(members):
    with pytest.raises(ValueError, match="members should only have 0 and 1s"):
        simple_mia(np.ones((len(members), 1)), members)


def test_attack_is_simple_mia_with_the_test_set_first():
    forget, test = losses(0, 200, 0.3), losses(1, 200)
    x = np.concatenate([test, forget])[:, None]
    result = attack(forget, test)
    assert result is not None
    assert result.value == simple_mia(x, np.repeat([0, 1], 200)).mean()
    assert result.n == 200


def test_attack_cuts_the_larger_side_and_averages_over_subsamples():
    forget, test = losses(0, 300, 0.3), losses(1, 100)
    expected = []
    for seed in range(3, 7):
        kept = forget[np.random.default_rng(seed).permutation(300)[:100]]
        x = np.concatenate([test, kept])[:, None]
        expected.append(simple_mia(x, np.repeat([0, 1], 100), random_state=seed).mean())
    result = attack(forget, test, seed=3, subsamples=4)
    assert result is not None
    assert (result.value, result.n) == (pytest.approx(np.mean(expected)), 100)
    # Nothing to choose between equal sides: one round.
    assert attack(test, test[::-1], subsamples=4) == attack(test, test[::-1])


def test_attack_is_repeatable():
    forget, test = losses(0, 50), losses(1, 120)
    assert attack(forget, test, seed=1) == attack(forget, test, seed=1)
    assert attack(forget, test, seed=1) != attack(forget, test, seed=2)


def test_separable_losses_give_one():
    forget, test = np.linspace(0, 1, 200), np.linspace(5, 6, 200)
    told_apart = attack(forget, test)
    assert told_apart is not None
    assert (told_apart.value, told_apart.direction) == (1.0, "forget lower")
    assert told_apart.low < 1.0 == told_apart.high  # 200 images cannot prove that it never errs
    swapped = attack(test, forget)
    assert swapped is not None
    assert (swapped.value, swapped.direction) == (1.0, "forget higher")


def test_identical_losses_are_no_better_than_a_coin_flip():
    same = losses(0, 500)
    result = attack(same, same)
    assert result is not None
    # Not 0.5 itself: an image's twin of the other label is mostly among those fitted, so that the
    # fit errs on it. `simple_mia` says the same. Two samples of one source: see the next test.
    assert result.value == simple_mia(np.tile(same, 2)[:, None], np.repeat([0, 1], 500)).mean()
    assert result.value <= 0.5
    assert result.direction == "none"
    constant = attack(np.zeros(100), np.zeros(100))
    assert constant is not None
    assert constant.value == 0.5
    assert constant.direction == "none"


def test_shuffled_membership_is_within_its_interval_of_a_coin_flip():
    pooled = np.concatenate([losses(0, 400, 0.2), losses(1, 400)])
    held = 0
    for seed in range(20):
        shuffled = np.random.default_rng(seed).permutation(pooled)
        result = attack(shuffled[:400], shuffled[400:])
        assert result is not None
        held += result.low <= 0.5 <= result.high
    assert held >= 17  # of 20; 95 % intervals hold 17 or more with probability .98


@pytest.mark.parametrize(
    ("distance", "n", "m", "subsamples"), [(0.5, 200, 200, 1), (2.0, 200, 400, 2)]
)
def test_interval_covers_the_analytic_accuracy_of_two_gaussians(distance, n, m, subsamples):
    # The best threshold between N(0, 1) and N(d, 1) is right with probability Phi(d / 2).
    truth = 0.5 + 0.5 * math.erf(distance / 2 / math.sqrt(2))
    draw = np.random.default_rng(0)
    results = [
        attack(draw.normal(0, 1, n), draw.normal(distance, 1, m), seed, subsamples)
        for seed in range(100)
    ]
    covered = np.mean([r is not None and r.low <= truth <= r.high for r in results])
    assert 0.88 <= covered <= 0.99
    assert np.mean([r.value for r in results if r]) == pytest.approx(truth, abs=0.01)


def test_too_few_images_give_none():
    assert attack(losses(0, 9), losses(1, 500)) is None
    assert attack(losses(0, 500), losses(1, 9)) is None
    assert attack([], losses(1, 9)) is None
    smallest = attack(losses(0, 10), losses(1, 500))
    assert smallest is not None
    assert smallest.n == 10
    assert 0 <= smallest.low <= smallest.value <= smallest.high <= 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_losses_of_a_diverged_model_are_clamped(bad):
    forget, test = losses(0, 100), losses(1, 100)
    all_bad = attack(np.full(100, bad, np.float32), test)
    assert all_bad is not None
    assert (all_bad.value, all_bad.direction) == (1.0, "forget higher")
    forget[::2] = bad
    some_bad = attack(forget, test)
    assert some_bad is not None
    assert 0.7 < some_bad.value < 0.9  # every other forget image gives itself away
    assert forget[0] != forget[0] or forget[0] >= 1e30  # the caller's array is left alone


@pytest.mark.parametrize("scale", [1e-4, 1.0, 100.0])
def test_the_bootstrap_fits_what_scikit_learn_fits(scale):
    forget, test = losses(0, 150, 0.3 * scale), losses(1, 150, scale)
    centres, counts = _group(forget, test)
    slope, intercept = fit(centres, counts[:, None].astype(float))
    x, y = np.concatenate([test, forget]).astype(float)[:, None], np.repeat([0, 1], 150)
    fitted = LogisticRegression(tol=1e-10, max_iter=10_000).fit(x, y)
    assert slope[0] == pytest.approx(fitted.coef_[0, 0], rel=1e-3, abs=1e-3)
    assert intercept[0] == pytest.approx(fitted.intercept_[0], rel=1e-3, abs=1e-3)


def test_groups_hold_every_image_once():
    forget, test = losses(0, 3000), losses(1, 2000)
    forget[:1000] = 0.25
    centres, counts = _group(forget, test)
    assert counts.sum(axis=1).tolist() == [3000, 2000]
    assert len(centres) <= 512
    assert np.all(np.diff(centres) > 0)
    total = float(forget.sum(dtype=float) + test.sum(dtype=float))
    assert float(centres @ counts.sum(axis=0)) == pytest.approx(total)


def test_wilson_known_values():
    # Newcombe (1998), Statistics in Medicine 17:857, table I, method 3.
    for hits, n, low, high in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ]:
        measure = wilson(hits, n)
        assert (measure.low, measure.high) == pytest.approx((low, high), abs=5e-5)
        assert (measure.value, measure.n) == (hits / n, n)
