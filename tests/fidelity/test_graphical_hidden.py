"""Models with a hidden variable and the logistic one: EM and forgetting against known answers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture

import core.graphical.logistic
from core.data.digits import digit_pixels, digits
from core.graphical.chains import Chain, likeliest
from core.graphical.hidden import HiddenModel, Hmm, Mixture
from core.graphical.logistic import PENALTY, Logistic
from core.graphical.methods import ContinueEM, Descend, Influence, Newton
from core.graphical.model import Rows


@pytest.fixture(scope="module")
def some() -> Rows:
    """Digits 0 to 3."""
    pixels, labels = digit_pixels()[0], digits().train_labels.numpy()
    chosen = np.flatnonzero(labels < 4)
    return Rows(pixels[chosen], labels[chosen])


FORGET = np.arange(0, 300, 20)
Parts = tuple[Rows, Rows]


@pytest.fixture(scope="module")
def parts(some: Rows) -> Parts:
    """To forget, to keep."""
    return some.at(FORGET), some.at(np.setdiff1d(np.arange(len(some)), FORGET))


def chain(steps: int = 4, states: int = 3, pixels: int = 2) -> Chain:
    draw = np.random.default_rng(0)
    return Chain(
        draw.dirichlet(np.ones(states)),
        draw.dirichlet(np.ones(states), (steps - 1, states)),
        draw.normal(size=(steps, states, pixels)),
        draw.uniform(0.5, 2, (steps, states, pixels)),
    )


def test_a_chain_by_all_its_paths() -> None:
    model, x = chain(), np.random.default_rng(1).normal(size=(2, 4, 2))
    distances = (x[:, :, None] - model.means) ** 2 / model.variances
    emitted = -0.5 * (distances + np.log(2 * np.pi * model.variances)).sum(3)
    total, states, moves = np.zeros(2), np.zeros((2, 4, 3)), np.zeros((2, 3, 3, 3))
    last = np.zeros((2, 3))
    for path in itertools.product(range(3), repeat=4):
        chance = model.start[path[0]] * np.exp(emitted[:, range(4), path].sum(1))
        for t, (before, after) in enumerate(itertools.pairwise(path)):
            chance = chance * model.moves[t, before, after]
        total += chance
        last[:, path[-1]] += chance
        for t, state in enumerate(path):
            states[:, t, state] += chance
        for t, (before, after) in enumerate(itertools.pairwise(path)):
            moves[:, t, before, after] += chance
    found, found_moves, density = model.responsibilities(x)
    np.testing.assert_allclose(density, np.log(total), rtol=1e-10)
    np.testing.assert_allclose(model.last(x), np.log(last), rtol=1e-10)
    np.testing.assert_allclose(model.log_density(x), np.log(total), rtol=1e-10)
    np.testing.assert_allclose(found, states / total[:, None, None], rtol=1e-10)
    expected_moves = (moves / total[:, None, None, None]).sum(0)
    np.testing.assert_allclose(found_moves, expected_moves, rtol=1e-10)


def test_a_chain_of_numbers_far_from_every_state_stays_finite() -> None:
    model, x = chain(), np.full((2, 4, 2), 1e3)
    for found in (*model.responsibilities(x), model.last(x), model.log_density(x)):
        assert np.isfinite(found).all()


def test_a_mixture_is_scikit_learns(some: Rows) -> None:
    ours = Mixture.fit(some, 4).chains[2]
    theirs = GaussianMixture(len(ours.start), covariance_type="diag")
    theirs.weights_, theirs.means_, theirs.covariances_ = (
        ours.start,
        ours.means[0],
        ours.variances[0],
    )
    theirs.precisions_cholesky_ = 1 / np.sqrt(ours.variances[0])
    x = some.x[:40]
    sequences = Mixture.sequences(x)
    np.testing.assert_allclose(ours.log_density(sequences), theirs.score_samples(x), rtol=1e-9)
    found = ours.responsibilities(sequences)[0][:, 0]
    np.testing.assert_allclose(found, theirs.predict_proba(x), atol=1e-9)


@pytest.mark.parametrize("kind", [Mixture, Hmm])
def test_em_never_goes_down(kind: type[HiddenModel], some: Rows) -> None:
    draw = np.random.default_rng(0)
    noise = Rows(draw.integers(0, 17, some.x.shape), some.labels)
    chain, x = kind.fit(noise, 4).chains[1], kind.sequences(some.x[some.labels == 1])
    expected, value = chain.expected(x)
    values = [value]
    for _ in range(8):
        expected, value = likeliest(expected).expected(x)
        values.append(value)
    assert (np.diff(values) > -1e-6).all()
    assert values[-1] > values[0] + 100


@pytest.mark.parametrize("kind", [Mixture, Hmm])
def test_taking_responsibilities_away_is_one_step_of_em_on_the_others(
    kind: type[HiddenModel], some: Rows, parts: Parts
) -> None:
    forget, retain = parts
    before = kind.fit(some, 4)
    after = ContinueEM(iterations=0).forget(before, forget, retain, 0)
    step = before.continued(retain, 1, range(4))
    for c in range(4):
        for name in ("start", "moves", "means", "variances"):
            found, expected = getattr(after.chains[c], name), getattr(step.chains[c], name)
            np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("kind", [Mixture, Hmm])
def test_more_em_does_not_end_where_retraining_does(
    kind: type[HiddenModel], some: Rows, parts: Parts
) -> None:
    forget, retain = parts
    before, retrained = kind.fit(some, 4), kind.fit(retain, 4)
    after = ContinueEM(iterations=300).forget(before, forget, retain, 0)
    assert not after.same(retrained)
    scores = [model.scores(retain.x) for model in (before, after, retrained)]
    assert np.abs(scores[1] - scores[2]).max() > 0.1
    x = kind.sequences(retain.x[retain.labels == 1])
    assert after.chains[1].expected(x)[1] > before.chains[1].expected(x)[1]


@pytest.mark.parametrize("kind", [Mixture, Hmm])
def test_a_whole_class_goes_exactly(kind: type[HiddenModel], some: Rows) -> None:
    of_class = some.labels == 2
    retain = some.at(np.flatnonzero(~of_class))
    before = kind.fit(some, 4)
    after = ContinueEM().forget(before, some.at(np.flatnonzero(of_class)), retain, 0)
    assert after.same(kind.fit(retain, 4))


def test_the_logistic_minimum_is_scikit_learns(some: Rows) -> None:
    ours = Logistic.fit(some, 4)
    x = np.pad(some.x / 16, ((0, 0), (0, 1)), constant_values=1)
    theirs = LogisticRegression(C=1 / PENALTY, fit_intercept=False, tol=1e-10, max_iter=10_000)
    expected = theirs.fit(x, some.labels).coef_
    np.testing.assert_allclose(ours.weights.numpy(), expected, atol=1e-5)


def test_newton_is_nearer_than_influence_and_that_than_nothing(some: Rows, parts: Parts) -> None:
    before, retrained = Logistic.fit(some, 4), Logistic.fit(parts[1], 4)

    def distance(model: Logistic) -> float:
        return float((model.weights - retrained.weights).norm())

    influence, newton = (method.forget(before, *parts, 0) for method in (Influence(), Newton()))
    assert distance(newton) < 0.5 * distance(influence) < 0.1 * distance(before)


def test_descents_noise_has_the_size_that_is_promised(
    some: Rows, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, found = Logistic.fit(some, 4), []
    for size in (0.0, 0.5):
        monkeypatch.setattr(core.graphical.logistic, "noise_scale", lambda *_, size=size: size)
        found.append(Descend(iterations=50).forget(before, *parts, 0).weights)
    noise = found[1] - found[0]
    assert float(noise.std()) == pytest.approx(0.5, rel=0.15)
    assert float(noise.mean()) == pytest.approx(0, abs=0.1)


def test_descent_ends_within_the_distance_that_its_noise_is_made_for(
    some: Rows, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    promised = []

    def no_noise(distance: float, epsilon: float, delta: float) -> float:
        promised.append(distance)
        return 0.0

    monkeypatch.setattr(core.graphical.logistic, "noise_scale", no_noise)
    before, retrained = Logistic.fit(some, 4), Logistic.fit(parts[1], 4)
    distances = []
    for iterations in (50, 500):
        found = Descend(iterations=iterations).forget(before, *parts, 0)
        distances.append(float((found.weights - retrained.weights).norm()))
    assert [real <= bound for real, bound in zip(distances, promised, strict=True)] == [True] * 2
    assert distances[1] < 0.1 * distances[0]
