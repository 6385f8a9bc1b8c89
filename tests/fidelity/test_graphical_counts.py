"""Models made of integer counts: bit for bit what refitting gives, and each against a known
answer."""

from __future__ import annotations

import itertools

import networkx
import numpy as np
import pytest
from sklearn.metrics import mutual_info_score
from sklearn.naive_bayes import CategoricalNB, GaussianNB

from core.data.digits import GREYS, digit_pixels, digits
from core.errors import BadRequest, LabError
from core.graphical.discriminant import RIDGE, GaussianDiscriminant
from core.graphical.model import CountedModel, Rows
from core.graphical.naive_bayes import IMAGINED, CategoricalNaiveBayes, GaussianNaiveBayes
from core.graphical.trees import NOISE, ChowLiu, TreeAugmented, Trees, heaviest_tree

PIXELS = (GaussianNaiveBayes, CategoricalNaiveBayes, ChowLiu, TreeAugmented)
EXACT = (*PIXELS, GaussianDiscriminant)


def every_digit() -> Rows:
    """All 1,797 of them."""
    data = digits()
    return Rows(
        np.concatenate(digit_pixels()),
        np.concatenate([data.train_labels.numpy(), data.test_labels.numpy()]),
    )


def rows_for(model: type[CountedModel]) -> Rows:
    rows = every_digit()
    if model is not GaussianDiscriminant:
        return rows
    mixed = np.random.default_rng(0).normal(size=(64, 12))
    return Rows((rows.x @ mixed / 16).astype(np.float32), rows.labels)


@pytest.mark.parametrize("model", EXACT)
def test_a_thousand_deletions_in_any_order_are_refitting(model: type[CountedModel]) -> None:
    rows = rows_for(model)
    draw = np.random.default_rng(1)
    gone = draw.permutation(len(rows))[:1000]
    kept = np.setdiff1d(np.arange(len(rows)), gone)
    refitted = model.fit(rows.at(kept), 10)
    whole = model.fit(rows, 10)
    one_by_one = whole
    for index in gone:
        one_by_one = one_by_one.without(rows.at(np.array([index])))
    by_parts = whole
    for part in np.split(draw.permutation(gone), [1, 8, 500]):
        by_parts = by_parts.without(rows.at(part))
    for left in (one_by_one, by_parts):
        assert left.statistics.same(refitted.statistics)
        assert left.same(refitted)
        assert left.scores(rows.x).tobytes() == refitted.scores(rows.x).tobytes()
    assert not whole.same(refitted)
    empty = one_by_one.without(rows.at(kept))
    assert empty.same(model.fit(rows.at(kept[:0]), 10))
    assert not any(table.any() for table in empty.statistics.tables.values())


def test_what_the_prior_is() -> None:
    none = every_digit().at(np.arange(0))
    gaussian, tables, trees, tree = (model.fit(none, 10).parameters for model in PIXELS)
    for found in (gaussian, tables, trees, tree):
        assert found["prior"] == pytest.approx(np.log(0.1))
    assert (gaussian["mean"] == 8).all()
    assert (gaussian["variance"] == 64).all()
    assert tables["greys"] == pytest.approx(np.log(1 / 17))
    assert trees["pixels"] == pytest.approx(np.log(1 / 2))
    assert trees["edges.3"].shape == tree["edges.3"].shape == (0, 2)


@pytest.mark.parametrize("model", EXACT)
def test_what_was_never_counted_cannot_be_taken_away(model: type[CountedModel]) -> None:
    rows = rows_for(model)
    some = rows.at(np.arange(30))
    fitted = model.fit(some, 10)
    with pytest.raises(BadRequest, match="never counted"):
        fitted.without(some).without(some.at(np.arange(1)))


def test_gaussian_naive_bayes_is_scikit_learns_with_the_imagined_images() -> None:
    rows = every_digit()
    imagined = np.repeat(IMAGINED, 10)
    theirs = GaussianNB(var_smoothing=0).fit(
        np.concatenate([rows.x, np.tile(imagined[:, None], 64)]),
        np.concatenate([rows.labels, np.tile(np.arange(10), 2)]),
    )
    ours = GaussianNaiveBayes.fit(rows, 10)
    found = ours.scores(rows.x) - ours.parameters["prior"]
    expected = theirs.predict_joint_log_proba(rows.x) - np.log(theirs.class_prior_)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_tables_are_scikit_learns() -> None:
    rows = every_digit()
    theirs = CategoricalNB(alpha=1, min_categories=GREYS).fit(rows.x, rows.labels)
    found = CategoricalNaiveBayes.fit(rows, 10).parameters["greys"]
    np.testing.assert_allclose(found.swapaxes(0, 1), theirs.feature_log_prob_, rtol=1e-9)


def small(n: int = 200, pixels: int = 5) -> Rows:
    """Pixels that go together, of two classes."""
    draw = np.random.default_rng(3)
    ink = draw.random((n, pixels)) < 0.5
    for j in range(1, pixels):
        copied = draw.random(n) < 0.25 * j / pixels + 0.4
        ink[copied, j] = ink[copied, j // 2]
    return Rows(np.where(ink, 16, 0), draw.integers(0, 2, n))


def trees_of(nodes: int) -> list[list[tuple[int, int]]]:
    """All labelled trees of so many nodes, from their Pruefer sequences."""
    sequences = itertools.product(range(nodes), repeat=nodes - 2)
    return [list(networkx.from_prufer_sequence(list(s)).edges) for s in sequences]


def test_no_tree_is_likelier_than_chow_and_lius() -> None:
    rows = small()
    model = ChowLiu.fit(rows, 2)
    ink = rows.x[rows.labels == 1] > 8

    def information(tree: list[tuple[int, int]]) -> float:
        """The tree's log-likelihood an image, less the part that all trees share."""
        return sum(mutual_info_score(ink[:, i], ink[:, j]) for i, j in tree)

    best = max(information(tree) for tree in trees_of(5))
    assert len(trees_of(5)) == 125
    assert information([(i, j) for i, j in model.edges[1]]) == pytest.approx(best, abs=1e-12)
    found = model.informations[1] / model.images[1]
    assert found[2, 4] == pytest.approx(mutual_info_score(ink[:, 2], ink[:, 4]), abs=1e-12)


def test_the_augmented_tree_goes_by_the_information_given_the_class() -> None:
    rows = every_digit()
    model = TreeAugmented.fit(rows, 10)
    ink = rows.x >= 8
    shares = [(rows.labels == c).mean() for c in range(10)]
    given = [mutual_info_score(*ink[rows.labels == c][:, [27, 28]].T) for c in range(10)]
    weights = model.informations.sum(0)
    assert weights[27, 28] / len(rows) == pytest.approx(np.dot(shares, given), abs=1e-12)
    theirs = networkx.maximum_spanning_tree(networkx.from_numpy_array(weights * (weights > NOISE)))
    ours = model.edges[0]
    assert weights[ours[:, 0], ours[:, 1]].sum() == pytest.approx(theirs.size("weight"))
    assert len(ours) == theirs.number_of_edges()


@pytest.mark.parametrize("model", [ChowLiu, TreeAugmented])
def test_a_tree_is_a_distribution(model: type[Trees]) -> None:
    states = np.array(list(itertools.product([0, 16], repeat=5)))
    assert np.exp(model.fit(small(), 2).scores(states)).sum() == pytest.approx(1, abs=1e-12)


def test_pixels_that_tell_nothing_get_no_edge() -> None:
    weights = np.array([[0, 2, 1, 0], [2, 0, 3, 0], [1, 3, 0, 0], [0, 0, 0, 0]], float)
    assert heaviest_tree(weights).tolist() == [[0, 1], [1, 2]]


def test_the_discriminant_by_its_formula() -> None:
    rows = rows_for(GaussianDiscriminant)
    means = np.stack([rows.x[rows.labels == c].mean(0, dtype=float) for c in range(10)])
    apart = rows.x - means[rows.labels]
    covariance = apart.T @ apart / len(rows)
    covariance += RIDGE * covariance.diagonal().mean() * np.eye(12)
    weights = np.linalg.solve(covariance, means.T).T
    bias = np.log((np.bincount(rows.labels) + 1) / (len(rows) + 10)) - (weights * means).sum(1) / 2
    found = GaussianDiscriminant.fit(rows, 10).scores(rows.x)
    np.testing.assert_allclose(found, rows.x @ weights.T + bias, rtol=1e-3, atol=1e-3)


def test_features_that_cannot_be_summed_exactly_are_refused() -> None:
    with pytest.raises(LabError, match="summed exactly"):
        GaussianDiscriminant.fit(Rows(np.full((2, 3), 1e6, np.float32), np.arange(2)), 2)
