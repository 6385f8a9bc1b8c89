"""The ideal: the retrained model, or one put together from models that each left out a tenth."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from core.checkpoints import fold_samples
from core.checkpoints.memorisation import (
    LEAVE_OUT,
    memorisation_scores,
    only_where_seen,
    split_of,
)
from core.checkpoints.outcomes import outcomes
from core.checkpoints.references import train_model
from core.checkpoints.storage import Checkpoint
from core.data.digits import digits
from core.data.request_text import parse_request
from core.data.requests import FOLDS, ForgetRequest
from core.data.splits import fold_of_each, split
from core.errors import BadRequest
from core.evaluation import measure
from core.ideal import (
    Ideal,
    find_ideal,
    fold_models,
    judges_of,
    keep_memorisation,
    put_together,
)
from core.metrics import representation
from core.metrics.evidence import Outcome
from core.metrics.registry import METRICS
from core.runs.plan import Plan
from core.runs.run import Run
from core.runs.task import prepare
from tests import tiny

pytestmark = pytest.mark.usefixtures("small_compact")

DATA = tiny.dataset()
N, TESTS = len(DATA.train_labels), len(DATA.test_labels)
PICKED = ForgetRequest.of_indices([0, 5, 17])


def train(without: ForgetRequest | None = None, **options) -> Checkpoint:
    *_, kept = train_model("compact", DATA, tiny.SHORT, without=without, **options)
    assert isinstance(kept, Checkpoint)
    return kept


def of_folds(count: int = FOLDS, keep: str = "logits") -> list[Checkpoint]:
    """Models of the first folds, by default with nothing kept but their answers."""
    return [train(ForgetRequest.of_fold(fold), keep=keep) for fold in range(count)]


def constant(value: float, n: int) -> Outcome:
    return Outcome(np.full(n, value, np.float32), np.full(n, int(value)), np.full((n, 10), value))


def test_every_image_is_judged_by_a_model_that_may_judge_it() -> None:
    """Model k gives every image the loss k."""
    parts = split(DATA, ForgetRequest.random(0.2, seed=1))
    measured = [(constant(k, N), constant(k, TESTS)) for k in range(FOLDS)]
    together, test = put_together(measured, *judges_of(DATA, parts))
    folds = fold_of_each(N)
    np.testing.assert_array_equal(together.losses[parts.forget], folds[parts.forget])
    assert (together.losses[parts.retain] != folds[parts.retain]).all()
    assert set(together.losses) == set(range(FOLDS))
    assert set(test.losses) == set(folds[parts.forget])
    for outcome in (together, test):  # an image's row is all of one model
        np.testing.assert_array_equal(outcome.predictions, outcome.losses)
        np.testing.assert_array_equal(outcome.logits, outcome.losses[:, None].repeat(10, 1))
    again, _ = put_together(measured, *judges_of(DATA, parts))
    np.testing.assert_array_equal(again.losses, together.losses)


def test_what_has_seen_an_image_has_no_say_on_it() -> None:
    parts = split(DATA, PICKED)
    draw = np.random.default_rng(0)
    measured = [
        (constant(k, N), Outcome(draw.random(TESTS, np.float32), np.zeros(TESTS, np.int64)))
        for k in range(FOLDS)
    ]
    before, _ = put_together(measured, *judges_of(DATA, parts))
    for k in range(FOLDS):
        saw = parts.forget[fold_of_each(N)[parts.forget] != k]
        measured[k][0].losses[saw] = 99
    after, _ = put_together(measured, *judges_of(DATA, parts))
    np.testing.assert_array_equal(before.losses[parts.forget], after.losses[parts.forget])


def test_references_have_not_seen_their_image(own_models: Path) -> None:
    """Of a training image that of its own fold, of a test image always the same one."""
    train()
    models = of_folds()
    folds = fold_models("compact", DATA)
    assert folds is not None
    measured = [outcomes(model, None, DATA) for model in models]
    parts = split(DATA, PICKED)
    train_reference, test_reference = folds.references(DATA, parts)
    for image, fold in enumerate(fold_of_each(N)):
        assert train_reference.losses[image] == measured[fold][0].losses[image]
    _, of_tests = judges_of(DATA, parts)
    assert set(of_tests) <= set(fold_of_each(N)[parts.forget])
    (only,) = set(judges_of(DATA, split(DATA, ForgetRequest.of_fold(3)))[1])
    assert only == 3  # whose model is the ideal of that request
    for image, fold in enumerate(of_tests):
        assert test_reference.losses[image] == measured[fold][1].losses[image]


def test_learned_by_heart_is_known_only_where_it_was_seen() -> None:
    """Image 0 is labelled by every model, image 1 by none but those that saw it."""
    folds = fold_of_each(N)
    losses = [np.full(N, 9.0, np.float32) for _ in range(FOLDS)]
    for fold, of_fold in enumerate(losses):
        of_fold[0] = 0.0
        of_fold[1] = 0.0 if fold != folds[1] else np.inf
    scores = only_where_seen(losses)
    assert (scores[0], scores[1]) == (0, 1)
    np.testing.assert_allclose(scores[2:], 0, atol=1e-6)


def test_the_folds_are_a_partition_and_what_a_request_of_one_forgets() -> None:
    folds = fold_of_each(N)
    sizes = np.bincount(folds, minlength=FOLDS)
    assert sizes.sum() == N
    assert sizes.max() - sizes.min() <= 1
    for fold in range(FOLDS):
        forgotten = split(DATA, ForgetRequest.of_fold(fold)).forget
        np.testing.assert_array_equal(forgotten, np.flatnonzero(folds == fold))


def test_a_retrained_model_goes_first_and_ten_folds_are_needed(own_models: Path) -> None:
    train()
    parts = split(DATA, PICKED)
    models = of_folds(FOLDS - 1)
    assert find_ideal("compact", DATA, parts) is None
    by_heart = ForgetRequest.most_memorised(5, version=2)
    keep_memorisation("compact", DATA, own_models)
    with pytest.raises(BadRequest, match="no memorisation scores"):
        split_of(DATA, by_heart)
    models.append(train(ForgetRequest.of_fold(FOLDS - 1), keep="logits"))
    keep_memorisation("compact", DATA, own_models)
    scores = memorisation_scores(DATA, LEAVE_OUT)
    assert scores is not None
    measured = [outcomes(model, None, DATA)[0].losses for model in models]
    np.testing.assert_array_equal(scores, only_where_seen(measured).astype(np.float16))
    chosen = split_of(DATA, by_heart).forget
    assert scores[chosen].min() >= np.delete(scores, chosen).max()
    found = find_ideal("compact", DATA, parts)
    assert found is not None
    assert (found.kind, found.models) == ("folds", tuple(models))
    assert found.name.startswith("folds-")
    retrained = train(PICKED)
    best = find_ideal("compact", DATA, parts)
    assert best == Ideal((retrained,))
    assert (best.kind, best.name) == ("retrained", retrained.sha256)
    # Judged itself, it gives way to the folds.
    assert find_ideal("compact", DATA, parts, other_than=1) == found


def test_an_ideal_is_of_the_recipe_of_the_base(own_models: Path) -> None:
    """Else the two would differ by more than the images."""
    train()
    parts = split(DATA, PICKED)
    other = dataclasses.replace(tiny.SHORT, learning_rate=tiny.SHORT.learning_rate / 2)
    list(train_model("compact", DATA, other, without=PICKED))
    assert find_ideal("compact", DATA, parts) is None
    again = train(PICKED, seed=2)
    assert find_ideal("compact", DATA, parts) == Ideal((again,))


def test_what_the_folds_do_not_suit(own_models: Path) -> None:
    train()
    models = of_folds()
    for request in (ForgetRequest.of_classes(DATA.class_names[0]), ForgetRequest.random(0.5)):
        assert find_ideal("compact", DATA, split(DATA, request)) is None
    # A fold's own model is its ideal, and never judges itself.
    parts = split(DATA, ForgetRequest.of_fold(3))
    assert find_ideal("compact", DATA, parts) == Ideal((models[3],))
    assert find_ideal("compact", DATA, parts, other_than=1) is None


def run(plan: Plan) -> Run:
    *_, last = prepare(plan, dataset=DATA, device="cpu").run()
    assert isinstance(last, Run)
    return last


def test_a_run_is_judged_by_it_and_a_retraining_takes_its_place(own_models: Path) -> None:
    train()
    models = of_folds()
    parts = split(DATA, PICKED)
    settings = {"epochs": 1, "batch_size": 16}
    first = run(Plan("compact", "tiny", PICKED, "fine_tune", settings))
    assert first.reference.startswith("folds-")
    assert first.retrained is not None
    folds = fold_models("compact", DATA)
    assert folds == Ideal(tuple(models))
    expected = measure(folds.evidence(DATA, parts, folds.references(DATA, parts)))
    assert first.retrained.metrics() == expected.metrics()
    np.testing.assert_array_equal(first.retrained.forget_losses, expected.forget_losses)
    # Retraining is judged by the folds, is kept, and judges whoever comes next.
    retrained = run(Plan("compact", "tiny", PICKED, "retrain", {}, seed=1))
    assert retrained.reference == first.reference
    later = run(Plan("compact", "tiny", PICKED, "fine_tune", settings))
    assert later.reference
    assert not later.reference.startswith("folds-")
    assert later.retrained is not None
    assert retrained.after is not None
    compared = {name for name, metric in METRICS.items() if "ideal" in metric.needs}
    assert compared
    mine, its = (e.metrics() for e in (later.retrained, retrained.after))
    assert {name: mine[name] for name in mine.keys() - compared} == {
        name: its[name] for name in its.keys() - compared
    }


def test_inside_each_image_is_looked_at_by_the_network_that_never_saw_it(
    own_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train()
    models = [model.load("cpu") for model in of_folds(keep="half")]
    parts = split(DATA, ForgetRequest.random(24, seed=1))
    ideal = fold_models("compact", DATA)
    assert ideal is not None
    samples = ideal.samples(DATA, parts)
    assert samples is not None
    own, (_, of_tests) = fold_of_each(N), judges_of(DATA, parts)
    sides = {
        "forget": (DATA.train_images, DATA.train_labels, parts.forget, own[parts.forget]),
        "test": (DATA.test_images, DATA.test_labels, np.arange(TESTS), of_tests),
    }
    for name, (images, labels, indices, judges) in sides.items():
        sample = samples[name]
        np.testing.assert_array_equal(sample.model, judges)
        np.testing.assert_array_equal(sample.labels, labels[torch.from_numpy(indices)])
        assert sample.mirrored is not None
        for row, (index, judge) in enumerate(zip(indices, judges, strict=True)):
            image = images[index : index + 1]
            with torch.inference_mode():
                inside, turned = models[judge].features(image), models[judge](image.flip(-1))
            np.testing.assert_allclose(sample.features[row], inside[0], atol=1e-4)
            np.testing.assert_allclose(sample.mirrored.logits[row], turned[0], atol=2e-3, rtol=1e-3)
    retain = samples["retain"]
    for fold in range(FOLDS):  # all that it was trained on, but for what is to be forgotten
        known = np.flatnonzero((own != fold) & ~np.isin(np.arange(N), parts.forget))
        assert retain.of(fold).sum() == len(known)
        with torch.inference_mode():
            inside = models[fold].features(DATA.train_images[torch.from_numpy(known)])
        np.testing.assert_allclose(retain.features[retain.of(fold)], inside, atol=1e-4)

    # Its re-head: a read-out of each network, and each image by that of its judge.
    monkeypatch.setattr(representation, "FEWEST", 1)
    evidence = ideal.evidence(DATA, parts)
    found = representation.excess_of_forgotten(evidence)
    assert found is not None
    right = []
    for name in sides:
        sample, hits = samples[name], []
        for row, judge in enumerate(np.asarray(sample.model)):
            known = retain.of(int(judge))
            fitted = representation.read_out(retain.features[known], retain.labels[known])
            hits.append(fitted.predict(sample.features[row : row + 1])[0] == sample.labels[row])
        right.append(np.mean(hits))
    assert found.value == pytest.approx(right[0] - right[1])
    assert representation.feature_attack(evidence) is None

    monkeypatch.setattr(fold_samples, "logits_of", None)  # would fail if it were called
    again = ideal.samples(DATA, parts)
    assert again is not None
    np.testing.assert_array_equal(again["forget"].model, samples["forget"].model)
    np.testing.assert_array_equal(again["retain"].features, retain.features)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        *((f"class:{digit}", "retrained") for digit in range(10)),
        ("random:0.1", "retrained"),
        ("random:40", "folds"),
        ("memorised:20", "folds"),
        ("memorised-v2:20", "folds"),
        ("fold:7", "retrained"),
        ("class:1,2", None),
        ("class:4:0.5", None),
    ],
)
def test_what_ships_for_the_digits(text: str, kind: str | None) -> None:
    data = digits()
    parts = split_of(data, parse_request(text))
    found = find_ideal("compact", data, parts)
    assert (found and found.kind) == kind
    if found is not None:  # what is kept of it is enough
        seen = found.evidence(data, parts, inside=False)
        assert 0 <= measure(seen).value("test_accuracy") <= 1
