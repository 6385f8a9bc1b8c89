"""What is known inside, where it is known without the metric; the distances to the ideal."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.special import softmax
from scipy.stats import ortho_group

from core.data.splits import Split
from core.evaluation import measure
from core.metrics import representation
from core.metrics.distances import activation_distance, jensen_shannon
from core.metrics.evidence import Evidence, Outcome, Sample, Seen
from core.metrics.registry import METRICS
from core.metrics.representation import cka

CLASSES, WIDTH = 4, 12


def features(labels: np.ndarray, seed: int, known: float, marked: float = 0.0) -> np.ndarray:
    """Noise, in which the class shows by `known` and membership by `marked`."""
    made = np.random.default_rng(seed).normal(0, 1, (len(labels), WIDTH)).astype(np.float32)
    made[np.arange(len(labels)), labels] += known
    made[:, -1] += marked
    return made


def model(
    forget: float, kept: float, marked: float = 0.0, whole_class: bool = False, n: int = 400
) -> Evidence:
    """A network inside which the class of a forgotten image shows by `forget`, and that of any
    other by `kept`. whole_class: class 0 is forgotten, and its images look like the others'; else
    scattered images are."""
    labels = np.arange(n) % CLASSES
    kept_labels = labels % (CLASSES - 1) + 1 if whole_class else labels
    mine = np.zeros(n, np.int64) if whole_class else labels
    many = np.tile(kept_labels, CLASSES - 1)

    def of_forgotten(seed: int, known: float, marked: float = 0.0) -> np.ndarray:
        made = features(mine, seed, known, marked)
        if whole_class:
            made[np.arange(n), kept_labels] += kept - known / 2
        return made

    logits = np.zeros((n, CLASSES), np.float32)
    some = Outcome(np.ones(n, np.float32), labels, logits)
    images = np.arange(n)
    parts = Split(
        images, images[:0], images, images, images, whole_class, (0,) if whole_class else ()
    )
    samples = {
        "forget": Sample(mine, of_forgotten(1, forget, marked), Seen(some, mine)),
        "retain": Sample(many, features(many, 2, kept)),
        # Of a class that is gone inside, new images are as strange as those to forget.
        "test": Sample(mine, of_forgotten(3, forget if whole_class else kept), Seen(some, mine)),
        "test_retained": Sample(kept_labels, features(kept_labels, 4, kept)),
    }
    return Evidence(some, some, labels, labels, parts, samples)


def number(evidence: Evidence, name: str):
    found = measure(evidence, [METRICS[name]])[name]
    assert found is not None
    return found


def test_a_masked_answer_leaves_the_class_inside() -> None:
    """Whatever the outputs say (here they say nothing), a read-out finds the class as well as the
    others, and in a network that lost it, by chance."""
    kept = number(model(5, 5, whole_class=True), "re_head")
    assert abs(kept.value) < 0.02
    lost = number(model(0, 5, whole_class=True), "re_head")
    assert lost.value < -0.3
    assert lost.low < lost.value < lost.high


def test_of_a_class_the_mean_of_several_read_outs_counts() -> None:
    """Image by image, each read-out fitted on other images to forget; written out."""
    evidence = model(1.0, 2.0, whole_class=True)
    found = representation.excess_of_forgotten(evidence, 80)
    samples = evidence.samples
    assert samples is not None
    right = np.zeros((2, 5, 400))
    for at, some in enumerate(representation._by_turns(400, 80, 5)):
        forget, retain = samples["forget"], samples["retain"]
        fitted = representation.read_out(
            np.concatenate([forget.features[some], retain.features]),
            np.concatenate([forget.labels[some], retain.labels]),
        )
        for side, name in enumerate(("test", "test_retained")):
            right[side, at] = fitted.predict(samples[name].features) == samples[name].labels
    assert found.value == pytest.approx(right[0].mean() - right[1].mean(), abs=1e-6)
    np.testing.assert_allclose(found.each[0], right[0].mean(axis=0), atol=1e-6)
    assert 0 < found.each[0].mean() < 1
    assert len(np.unique(found.each[0])) > 2


def test_read_outs_learn_of_other_images_each_time() -> None:
    turns = representation._by_turns(1234, 500, 5)
    assert [len(some) for some in turns] == [500, 500]
    assert len(np.intersect1d(*turns)) == 0
    assert [len(some) for some in representation._by_turns(30, 500, 5)] == [30]
    assert len(representation._by_turns(10_000, 500, 5)) == 5


def test_features_that_are_worse_for_everything_are_no_forgetting() -> None:
    dull, sharp = (number(model(x, x, whole_class=True), "re_head") for x in (1.5, 5))
    assert abs(dull.value - sharp.value) < 0.1


def test_scattered_images_known_better_than_new_ones() -> None:
    remembered, forgotten = (number(model(x, 1.5), "re_head") for x in (3.0, 1.5))
    assert remembered.value > 0.15
    assert remembered.low > 0
    assert forgotten.low < 0 < forgotten.high


def test_the_attack_on_features() -> None:
    assert number(model(3, 3, marked=4), "feature_auc").value > 0.95
    found = number(model(3, 3), "feature_auc")
    assert found.low < 0.5 < found.high


def test_too_few_images_are_not_measured() -> None:
    found = measure(model(3, 3, n=40))
    assert found["re_head"] is None
    assert found["feature_auc"] is None


def test_a_diverged_network_is_measured() -> None:
    broken = model(3, 3)
    assert broken.samples is not None
    nothing = {
        name: dataclasses.replace(sample, features=np.full_like(sample.features, np.nan))
        for name, sample in broken.samples.items()
    }
    found = number(dataclasses.replace(broken, samples=nothing), "re_head")
    assert found.value == pytest.approx(0, abs=1e-6)


# Beside the ideal


def test_cka_knows_no_rotation_and_no_scale() -> None:
    draw = np.random.default_rng(0)
    some = draw.normal(0, 1, (300, WIDTH)).astype(np.float32)
    turned = (3 * some @ ortho_group.rvs(WIDTH, random_state=0) + 5).astype(np.float32)
    assert cka(some, some) == pytest.approx(1)
    assert cka(some, turned) == pytest.approx(1, abs=1e-5)
    assert cka(some, draw.normal(0, 1, (300, WIDTH)).astype(np.float32)) < 0.1
    # By the definition, with Gram matrices written out.
    other = (some + draw.normal(0, 1, some.shape)).astype(np.float32)

    def hsic(first: np.ndarray, second: np.ndarray) -> float:
        n = len(first)
        k, m = (x.astype(float) @ x.T.astype(float) for x in (first, second))
        np.fill_diagonal(k, 0)
        np.fill_diagonal(m, 0)
        sums = k.sum() * m.sum() / (n - 1) / (n - 2)
        return float(np.trace(k @ m) + sums - 2 * (k @ m).sum() / (n - 2))

    expected = hsic(some, other) / np.sqrt(hsic(some, some) * hsic(other, other))
    assert cka(some, other) == pytest.approx(expected, rel=1e-4)
    assert 0.4 < expected < 0.6


def test_cka_of_few_images_calls_nothing_alike_that_is_not() -> None:
    """The plain estimate of unrelated features would be .74 here."""
    draw = np.random.default_rng(0)
    first, second = (draw.normal(0, 1, (90, 256)).astype(np.float32) for _ in range(2))
    assert abs(cka(first, second)) < 0.1
    assert cka(first, first) == pytest.approx(1)


def test_distances_by_hand() -> None:
    draw = np.random.default_rng(0)
    p, q = (softmax(draw.normal(0, 2, (20, CLASSES)), axis=1) for _ in range(2))
    logged = np.log(p), np.log(q)
    expected = [jensenshannon(a, b, base=2) ** 2 for a, b in zip(p, q, strict=True)]
    np.testing.assert_allclose(jensen_shannon(*logged), expected, atol=1e-9)
    np.testing.assert_allclose(activation_distance(*logged), np.linalg.norm(p - q, axis=1))


def test_the_ideal_lies_nowhere_from_itself() -> None:
    ideal = model(3, 3)
    found = measure(dataclasses.replace(ideal, ideal=ideal))
    assert found.value("js_forget") == 0
    assert found.value("activation_distance") == 0
    assert found.value("cka_forget") == pytest.approx(1)
    assert found.value("cka_retain") == pytest.approx(1)
    other = measure(dataclasses.replace(model(0, 3), ideal=ideal))
    assert other.value("cka_forget") < 0.9
    alone = measure(ideal)
    assert alone["js_forget"] is None
    assert alone["cka_forget"] is None


def test_an_ideal_of_the_folds_is_like_no_network_even_where_one_judges_all_to_forget() -> None:
    """As for 500 images of one fold: those to keep were looked at in other networks as well."""
    mine, ideal = model(5, 5), model(5, 5)
    assert ideal.samples is not None
    judged = {
        name: dataclasses.replace(sample, model=np.zeros(len(sample.labels), np.int64))
        for name, sample in ideal.samples.items()
    }
    kept = judged["retain"]
    judged["retain"] = Sample(
        np.tile(kept.labels, 2), np.tile(kept.features, (2, 1)), model=np.tile(kept.model, 2)
    )
    found = dataclasses.replace(mine, ideal=dataclasses.replace(ideal, samples=judged))
    for name in ("cka_forget", "cka_retain"):
        assert measure(found, [METRICS[name]])[name] is None
