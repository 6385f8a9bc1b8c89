"""Many models against many retrained ones, where the answer is known."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy.stats import entropy, norm

from core.attacks.probabilities import confidences, log_probabilities
from core.evaluation import measure
from core.metrics.ensembles import (
    BINS,
    MOST_EPSILON,
    epsilons,
    forgetting_quality,
    influence_erasure,
    klom,
)
from core.metrics.registry import METRICS
from tests.core.test_representation import model

MODELS, IMAGES = 400, 30


def sample(mean: float, seed: int, deviation: float = 1.0, models: int = MODELS) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, deviation, (models, IMAGES))


def test_confidences_are_the_logarithm_of_the_odds() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (50, 7)).astype(np.float32)
    labels = np.arange(50) % 7
    p = np.exp(log_probabilities(logits))[np.arange(50), labels]
    np.testing.assert_allclose(confidences(logits, labels), np.log(p / (1 - p)), rtol=1e-6)
    sure = np.array([[90.0, 0.0, 0.0]], np.float32)  # 1 - p is nothing in float64
    np.testing.assert_allclose(confidences(sure, np.array([0])), 90 - np.log(2))


def test_klom_is_the_divergence_of_the_histograms() -> None:
    """Two Gaussians one deviation apart: half a nat; and by a library's entropy, image by image."""
    near, far = klom(sample(0, 1), sample(0, 2)), klom(sample(1, 1), sample(0, 2))
    assert near.mean() < 0.1
    assert far.mean() == pytest.approx(0.5, abs=0.2)
    mine, others = sample(1, 1)[:, 0], sample(0, 2)[:, 0]
    edges = np.linspace(min(mine.min(), others.min()), max(mine.max(), others.max()), BINS + 1)
    p, q = (np.histogram(x, edges)[0] / MODELS for x in (mine, others))
    filled = np.where(p > 0, np.maximum(q, 1e-5), q)
    assert far[0] == pytest.approx(entropy(p, filled) - math.log(filled.sum()), rel=1e-6)
    assert (klom(sample(1, 1), sample(1, 1)) == 0).all()


def test_epsilon_is_the_attack_s_surest_answer() -> None:
    """By hand: 4 of 5 of either kind on their side of a threshold: log(.8 / .2)."""
    high = np.array([[1.0], [2.0], [3.0], [4.0], [-1.0]])
    low = np.array([[-2.0], [-3.0], [-4.0], [-5.0], [1.5]])
    assert epsilons(high, low)[0] == pytest.approx(math.log((0.8 - 1e-5) / 0.2), abs=1e-9)
    assert epsilons(low, high)[0] == epsilons(high, low)[0]
    apart = np.array([[5.0], [6.0], [7.0], [8.0], [9.0]])
    assert epsilons(apart, low)[0] == MOST_EPSILON
    assert epsilons(0.001 * high, low)[0] == MOST_EPSILON, "a peak is told at a glance"
    assert epsilons(high, high)[0] < 1.7  # of five models the best of all attacks sees some luck


def test_epsilon_of_two_gaussians() -> None:
    """A threshold t between them errs by the normal distribution: the best is in its tails, and of
    so many models at least what the middle shows."""
    found = epsilons(sample(2, 3), sample(0, 4))
    middle = math.log(norm.cdf(1) / norm.cdf(-1))
    assert (found > middle - 0.3).all()
    assert (found < MOST_EPSILON).all()


def test_the_score_of_the_challenge() -> None:
    """1 for retrained models, nothing for what is told apart; half a step costs half."""
    assert forgetting_quality(sample(0, 1), sample(0, 2)) > 0.03
    assert forgetting_quality(sample(30, 1), sample(0, 2)) == 0
    high = np.array([[1.0], [2.0], [3.0], [4.0], [-1.0]])
    low = np.array([[-2.0], [-3.0], [-4.0], [-5.0], [1.5]])
    assert epsilons(high, low)[0] == pytest.approx(1.386, abs=1e-3)  # the third half
    assert forgetting_quality(high, low) == 0.25


def test_influence_erasure() -> None:
    ideal = np.full(10, 2.0)
    before, again = np.zeros(10), np.full(10, 2.2)
    assert influence_erasure(before, before, ideal, again) == pytest.approx(0)
    assert influence_erasure(before, again, ideal, again) == pytest.approx(1)
    assert influence_erasure(before, np.full(10, 0.9), ideal, again) == pytest.approx(0.5)
    assert math.isnan(influence_erasure(again, before, ideal, again))


def test_tug_of_war() -> None:
    """1 against itself; by hand where a tenth of the images to forget is answered otherwise."""
    whole = model(5, 5)
    halves = dataclasses.replace(
        whole.split, forget=whole.split.test[:200], retain=whole.split.test[200:]
    )
    ideal = dataclasses.replace(whole, split=halves)
    same = dataclasses.replace(ideal, ideal=ideal)
    assert measure(same, [METRICS["tug_of_war"]]).value("tug_of_war") == 1
    predictions = ideal.train.predictions.copy()
    predictions[:20] += 1
    other = dataclasses.replace(
        same, train=dataclasses.replace(ideal.train, predictions=predictions)
    )
    found = measure(other, [METRICS["tug_of_war"]]).value("tug_of_war")
    assert found == pytest.approx(0.9 * 1 * 1)
