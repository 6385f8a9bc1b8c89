"""Attacks against answers that are known without them."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from core.attacks.curve import auc, balanced_accuracy, tpr_at
from core.attacks.difficulty import as_hard
from core.attacks.entropy import certainty, certainty_of_label
from core.attacks.neighbours import NEAREST, of_neighbours
from core.attacks.probabilities import calibration, margins
from core.attacks.rmia import GAMMA, OFFLINE, lira, log_likelihoods, rmia
from core.data.splits import Split
from core.evaluation import measure
from core.metrics.evidence import Evidence, Outcome, Sample, Seen
from core.metrics.measures import Evaluation
from core.metrics.registry import METRICS

CLASSES = 5
AUCS = [name for name in METRICS if name.endswith("_auc")]
SMALL = dict.fromkeys(("forget", "test"), 300)


def outcome(logits: np.ndarray, labels: np.ndarray) -> Outcome:
    """As a model with these logits leaves it."""
    losses = -log_softmax(logits.astype(np.float64), axis=1)[np.arange(len(labels)), labels]
    return Outcome(losses.astype(np.float32), logits.argmax(1), logits.astype(np.float32))


def evidence(
    known: float, seed: int = 0, n: int = 400, scale: float = 1.0, by_class: bool = False
) -> Evidence:
    """Of images that are hard or easy for every model, the label's logit of those to forget larger
    by `known`; all logits are multiplied by `scale`, those of the references not."""
    draw = np.random.default_rng(seed)

    def some(images: int, extra: float) -> tuple[np.ndarray, Outcome, Outcome]:
        labels = np.arange(images) % CLASSES
        hard = draw.normal(0, 2, images)
        logits = []
        for more in (extra, 0.0):
            made = draw.normal(0, 1, (images, CLASSES))
            made[np.arange(images), labels] += 2.5 + hard + more
            logits.append(made)
        return labels, outcome(scale * logits[0], labels), outcome(logits[1], labels)

    train_labels, train, train_reference = some(2 * n, 0.0)
    _, forgotten, _ = some(n, known)
    draw_forget = np.arange(n)
    logits = train.logits
    assert logits is not None
    assert forgotten.logits is not None
    # The images to forget are the first, as hard for their reference as they are for the model.
    mine = train_reference.logits[:n] + draw.normal(0, 1, (n, CLASSES))
    mine[np.arange(n), train_labels[:n]] += known
    logits[:n] = scale * mine
    train = outcome(logits, train_labels)
    test_labels, _, test_reference = some(3 * n, 0.0)
    of_tests = test_reference.logits + draw.normal(0, 1, (3 * n, CLASSES))
    test = outcome(scale * of_tests, test_labels)
    tests = np.arange(3 * n)
    parts = Split(draw_forget, np.arange(n, 2 * n), tests, tests[: 2 * n], tests, by_class)

    # Inside, four directions say the class and one what was seen.
    def sample(outcome: Outcome, labels: np.ndarray, seen: float) -> Sample:
        features = draw.normal(0, 1, (len(labels), 8)).astype(np.float32)
        features[:, 0] += seen
        features[np.arange(len(labels)), 1 + labels] += 4
        return Sample(labels, features, Seen(outcome, labels))

    samples = {
        "forget": sample(train.at(slice(n)), train_labels[:n], known / 2),
        "retain": sample(train.at(slice(n, None)), train_labels[n:], known / 2),
        "test": sample(test.at(slice(n)), test_labels[:n], 0.0),
        "test_retained": sample(test.at(slice(n, 2 * n)), test_labels[n : 2 * n], 0.0),
    }
    references = train_reference, test_reference
    return Evidence(train, test, train_labels, test_labels, parts, samples, references)


def test_each_attack_is_there() -> None:
    assert set(AUCS) == {
        "loss_auc", "margin_auc", "entropy_auc", "modified_entropy_auc", "rmia_auc", "lira_auc",
        "mirrored_margin_auc", "neighbours_auc", "feature_auc",
    }  # fmt: skip


# The curve


@given(
    st.lists(st.integers(0, 8), min_size=10, max_size=30),
    st.lists(st.integers(0, 8), min_size=10, max_size=30),
)
def test_auc_counts_pairs(members: list[int], others: list[int]) -> None:
    mine, rest = np.array(members, float), np.array(others, float)
    higher = (mine[:, None] > rest).sum() + (mine[:, None] == rest).sum() / 2
    found = auc(mine, rest)
    assert found is not None
    assert found.value == pytest.approx(higher / (len(mine) * len(rest)), abs=1e-6)
    assert sum(part.mean() for part in found.each) == pytest.approx(found.value, abs=1e-6)
    assert found.low <= found.value <= found.high


def test_two_known_gaussians() -> None:
    """N(1, 1) above N(0, 1): the AUC is Phi(1 / sqrt 2), the best threshold is right Phi(1 / 2) of
    the time, and 1 % wrong accusations find Phi(1 - z) with Phi(z) = .99."""
    draw = np.random.default_rng(0)
    members, others = draw.normal(1, 1, 40_000), draw.normal(0, 1, 40_000)
    for found, value in (
        (auc(members, others), norm.cdf(1 / np.sqrt(2))),
        (balanced_accuracy(members, others), norm.cdf(0.5)),
        (tpr_at(0.01, members, others), norm.cdf(1 - norm.ppf(0.99))),
        (tpr_at(0.001, members, others), norm.cdf(1 - norm.ppf(0.999))),
    ):
        assert found is not None
        assert found.value == pytest.approx(value, abs=0.008)
        assert found.low < value < found.high


def test_the_intervals_hold_what_they_promise() -> None:
    """Of 300 draws without any difference each interval holds what chance gives in 95 %, and no
    choice of a threshold looks like an attack."""
    draw = np.random.default_rng(1)
    held = np.zeros(3)
    sizes = np.zeros(3)
    for _ in range(300):
        members, others = draw.normal(0, 1, 200), draw.normal(0, 1, 1500)
        for i, (found, chance) in enumerate(
            (
                (auc(members, others), 0.5),
                (balanced_accuracy(members, others), 0.5),
                (tpr_at(0.01, members, others), 0.01),
            )
        ):
            assert found is not None
            held[i] += found.low <= chance <= found.high
            sizes[i] += found.value / 300
    assert (held / 300 > 0.92).all()
    np.testing.assert_allclose(sizes[:2], 0.5, atol=0.005)


def test_what_is_told_apart_entirely_and_what_is_too_few() -> None:
    members, others = np.arange(100.0, 130.0), np.arange(0.0, 1000.0) / 1000
    for found in (auc(members, others), balanced_accuracy(members, others)):
        assert found is not None
        assert (found.value, found.high) == (1.0, 1.0)
    caught = tpr_at(0.01, members, others)
    assert caught is not None
    assert caught.value == 1.0
    assert tpr_at(0.001, members, others) is None  # one image of a thousand
    assert auc(members[:9], others) is None
    assert balanced_accuracy(members[:19], others) is None


def test_numbers_that_are_none_speak_against_membership() -> None:
    bad, others = np.full(20, np.nan), np.arange(20.0)
    found, alike = auc(bad, others), auc(bad, bad)
    assert found is not None
    assert alike is not None
    assert (found.value, alike.value) == (0.0, 0.5)


# The scores


def test_scores_by_hand() -> None:
    logits = np.array([[2.0, 1.0, 0.0], [0.0, 3.0, 0.0]], np.float32)
    labels = np.array([0, 2])
    seen = Seen(outcome(logits, labels), labels)
    p = softmax(logits.astype(np.float64), axis=1)
    np.testing.assert_allclose(margins(logits, labels), [1.0, -3.0])
    np.testing.assert_allclose(certainty(seen), (p * np.log(p)).sum(1))
    own = p[[0, 1], labels]
    rest = [[1, 2], [0, 1]]
    expected = [
        (1 - own[i]) * np.log(own[i]) + sum(p[i, j] * np.log(1 - p[i, j]) for j in rest[i])
        for i in range(2)
    ]
    np.testing.assert_allclose(certainty_of_label(seen), expected)


def test_margins_of_sure_answers_do_not_tie() -> None:
    """float32 losses of both are 0."""
    logits = np.array([[40.0, 0.0], [60.0, 0.0]], np.float32)
    made = outcome(logits, np.zeros(2, int))
    assert made.losses.tolist() == [0.0, 0.0]
    assert np.diff(margins(logits, np.zeros(2, int))) > 0


def test_calibration_is_the_scale_of_least_loss() -> None:
    some = evidence(0.0, scale=1.0).kept_unseen

    def loss(scale: float) -> float:
        return -log_softmax(scale * some.logits, axis=1)[
            np.arange(len(some.labels)), some.labels
        ].mean()

    best = minimize_scalar(loss, (0.05, 1.0)).x
    for size in (1.0, 20.0, 1 / 20):
        assert calibration(size * some.logits, some.labels) == pytest.approx(best / size, rel=1e-3)


def test_rmia_and_lira_as_their_papers_have_them() -> None:
    """Plain transcriptions, image by image."""
    some = evidence(1.0, n=60)
    (forget, unseen), (out_forget, out_unseen) = log_likelihoods(some)
    ours = np.exp(np.concatenate([forget, unseen]))
    out = np.exp(np.concatenate([out_forget, out_unseen]))
    ratio = ours / (0.5 * ((1 + OFFLINE) * out + (1 - OFFLINE)))
    population = ratio[len(forget) :]
    expected = [np.mean(x / population >= GAMMA) for x in ratio]
    np.testing.assert_allclose(np.concatenate(rmia(some)), expected, atol=2e-6)
    confidence = [np.log(p / (1 - p)) for p in (ours, out)]
    away = confidence[0] - confidence[1]
    judged = lira(some)
    assert judged is not None
    found = np.concatenate(judged)
    np.testing.assert_allclose(found, away / away[len(forget) :].std(), rtol=1e-6)


def test_lira_says_nothing_of_the_references_themselves() -> None:
    """An ideal put together from them: each image differs by 0 from its own reference."""
    some = evidence(1.0, n=60)
    assert some.references is not None
    own = dataclasses.replace(some, train=some.references[0], test=some.references[1])
    assert lira(own) is None
    assert measure(own)["lira_auc"] is None
    assert measure(own)["rmia_auc"] is not None


def test_who_knows_how_hard_an_image_is_sees_more() -> None:
    found = measure(evidence(1.0))
    assert found.value("rmia_auc") > found.value("margin_auc") + 0.05
    assert found.value("lira_auc") > found.value("margin_auc") + 0.05


def test_the_neighbours_are_those_that_new_images_of_the_class_lie_next_to() -> None:
    """Of five classes, seen from class 0, classes 1 to 3 are near: what leans there scores high."""
    logits = np.zeros((40, CLASSES), np.float32)
    logits[:, 1:4] = 3
    logits[:, 0] = np.linspace(-100, 100, 40)  # whatever the network says of the own class
    labels = np.zeros(40, int)
    made = outcome(logits, labels)
    flat = outcome(np.zeros((40, CLASSES)), labels)
    tests = np.arange(40)
    parts = Split(tests, tests[:0], tests, tests, tests)
    forget, unseen = of_neighbours(Evidence(flat, made, labels, labels, parts))
    near = 3 * np.exp(3) / (3 * np.exp(3) + 1)
    np.testing.assert_allclose(unseen, near, rtol=1e-6)
    np.testing.assert_allclose(forget, NEAREST / 4, rtol=1e-6)


# All attacks


def aucs(some: Evidence) -> dict[str, float]:
    found = measure(some, [METRICS[name] for name in AUCS])
    return {name: found.value(name) for name in AUCS}


def test_nothing_is_found_where_there_is_nothing() -> None:
    """Bonferroni over the attacks, and two seeds."""
    for seed in (0, 1):
        found = measure(evidence(0.0, seed), [METRICS[name] for name in AUCS])
        for name in AUCS:
            one = found[name]
            assert one is not None
            wider = (one.high - one.low) / 2 * norm.ppf(1 - 0.05 / 2 / len(AUCS) / 2) / 1.96
            assert abs(one.value - 0.5) < wider, name


def test_what_leaks_is_found() -> None:
    found = aucs(evidence(6.0))
    del found["neighbours_auc"]  # leaves the label out, and nothing else is known here
    assert all(value > 0.75 for value in found.values()), found


def test_separable_images_give_themselves_away() -> None:
    found = aucs(evidence(60.0))
    del found["neighbours_auc"], found["feature_auc"]
    # RMIA asks by how much likelier an image is than to a network that never saw it, and of what
    # that one was sure of already there is nothing to learn.
    assert found.pop("rmia_auc") > 0.8
    assert all(value > 0.99 for value in found.values()), found


@pytest.mark.parametrize("scale", [1 / 20, 20.0])
def test_dividing_the_logits_pleases_no_spy_of_the_verdict(scale: float) -> None:
    plain, divided = aucs(evidence(1.0)), aucs(evidence(1.0, scale=scale))
    signals = [name for name in AUCS if METRICS[name].signal]
    assert signals == ["margin_auc", "rmia_auc"]
    for name in (*signals, "lira_auc", "mirrored_margin_auc"):
        assert divided[name] == pytest.approx(plain[name], abs=0.003), name


def test_the_fair_question_is_asked() -> None:
    """Of a request for classes the attacks see the class-matched test images alone."""
    some = evidence(0.0, by_class=True)
    losses = some.test.losses.copy()
    losses[some.split.test_class_matched] = 50
    found = measure(dataclasses.replace(some, test=dataclasses.replace(some.test, losses=losses)))
    assert found.value("loss_auc") == 1.0


def test_the_auc_agrees_with_sklearn() -> None:
    some = evidence(1.0)
    scores = (
        margins(some.forget.logits, some.forget.labels),
        margins(some.unseen().logits, some.unseen().labels),
    )
    members = np.repeat([1, 0], [len(part) for part in scores])
    expected = roc_auc_score(members, np.concatenate(scores))
    assert measure(some).value("margin_auc") == pytest.approx(expected, abs=1e-6)


def test_as_hard_takes_a_partner_for_each() -> None:
    draw = np.random.default_rng(0)
    forget, unseen = np.exp(draw.normal(3, 1, 300)), np.exp(draw.normal(0, 2, 3000))
    ours, others = as_hard(forget, unseen)
    assert len(ours) == len(others) == len(set(others))
    assert len(ours) > 200
    assert np.abs(np.log(forget[ours]) - np.log(unseen[others])).max() <= 0.2 * 1.1
    # What nothing is as hard as has no partner.
    forget[7] = 1e9
    assert 7 not in as_hard(forget, unseen)[0]
    nothing, _ = as_hard(np.full(20, 1e9), np.ones(20))
    assert len(nothing) == 0


def test_beside_images_as_hard_a_retrained_network_looks_innocent() -> None:
    """The hardest images of a network that never saw them: the simple attack accuses it, and beside
    images that are as hard it does not."""
    some = evidence(0.0, n=1000)
    hardest = np.argsort(-some.references[0].losses[:1000])[:150]
    parts = dataclasses.replace(some.split, forget=np.sort(hardest))
    found = measure(dataclasses.replace(some, split=parts, samples=None))
    assert found.value("mia") > 0.8
    matched = found["mia_difficulty_matched"]
    assert matched is not None
    assert matched.low < 0.5 < matched.high


def test_what_is_missing_is_not_measured() -> None:
    some = evidence(1.0)
    bare = dataclasses.replace(some, samples=None, references=None)
    found: Evaluation = measure(bare)
    missing = {name for name in AUCS if found[name] is None}
    assert missing == {"rmia_auc", "lira_auc", "mirrored_margin_auc", "feature_auc"}
    for part, name in itertools.product(("train", "test"), ("loss_auc", "margin_auc")):
        old = dataclasses.replace(getattr(bare, part), logits=None)
        found = measure(dataclasses.replace(bare, **{part: old}))
        assert (found[name] is None) == (name == "margin_auc")
