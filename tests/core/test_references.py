"""Base models and references: trained once, kept with what they do, and never mixed up."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from core.checkpoints import memorisation, storage
from core.checkpoints.outcomes import (
    evaluate_outcomes,
    outcomes,
    outcomes_file,
    write_outcomes,
)
from core.checkpoints.references import keep_reference, train_model
from core.checkpoints.storage import Checkpoint
from core.data.load import load_dataset
from core.data.request_text import parse_request
from core.data.requests import ForgetRequest
from core.data.splits import split
from core.errors import CheckpointMissing
from core.evaluation import evaluate_model, per_image
from core.files import SHIPPED
from core.ideal import find_reference
from core.training.loop import TrainingProgress
from tests import tiny
from tests.tiny import SHORT

pytestmark = pytest.mark.usefixtures("small_compact")

DATA = tiny.dataset()
REQUEST = ForgetRequest.random(8)
STEPS = 4 * 4


def kept(*arguments: object, **options: object) -> tuple[int, Checkpoint]:
    """Batches that it took, and the checkpoint."""
    *steps, last = train_model(*(arguments or ("compact", DATA, SHORT)), **options)
    assert isinstance(last, Checkpoint)
    return len(steps), last


def test_a_base_is_trained_once(own_models: Path) -> None:
    steps, base = kept()
    assert steps == STEPS
    assert base.weights == own_models / "compact-tiny" / "base.safetensors"
    expected = tiny.trained(tiny.images(DATA), SHORT)
    assert tiny.same(storage.load_model("compact", "tiny"), expected.model)
    scores = memorisation.memorisation_scores(DATA)
    np.testing.assert_array_equal(scores, (1 - expected.learned).astype(np.float16))

    manifest = base.manifest
    assert manifest["fingerprint"] == DATA.fingerprint
    assert manifest["recipe"] == SHORT.to_dict()
    assert (manifest["seed"], manifest["role"], manifest["classes"]) == (0, "base", 10)
    outcome = per_image(expected.model, DATA.test_images, DATA.test_labels)
    right = outcome.predictions == DATA.test_labels.numpy()
    assert manifest["accuracy"]["test"] == pytest.approx(right.mean())
    assert set(manifest["accuracy"]) == {"train", "test"}
    assert {"python", "torch", "threads", "training_precision"} <= set(manifest["versions"])
    assert not list((own_models.parent / "training").glob("*.state"))

    assert kept() == (0, base)
    assert kept("compact", DATA, SHORT, seed=1)[0] == STEPS  # another base takes its place


def test_a_reference_never_saw_the_forget_set(own_models: Path) -> None:
    kept()
    parts = split(DATA, REQUEST)
    assert find_reference("compact", DATA, parts) is None
    _, reference = kept("compact", DATA, SHORT, without=REQUEST)
    found = find_reference("compact", DATA, parts)
    assert found == reference
    expected = tiny.trained(tiny.images(DATA, parts.retain), SHORT, seed=1)
    assert tiny.same(found.load(), expected.model)
    assert found.manifest["forget_digest"] == parts.digest
    assert found.manifest["request"] == REQUEST.to_dict()
    assert set(found.manifest["accuracy"]) == {"test", "forget", "retain"}
    other = split(DATA, ForgetRequest.random(8, seed=1))
    assert find_reference("compact", DATA, other) is None
    second = kept("compact", DATA, SHORT, without=REQUEST, seed=2)[1]
    assert second.weights != reference.weights
    assert find_reference("compact", DATA, parts) == reference


def test_a_reference_of_other_images_is_not_taken(own_models: Path) -> None:
    """Two folders may go by one name, and the same request then has the same digest."""
    parts = split(DATA, REQUEST)
    kept("compact", DATA, SHORT, without=REQUEST)
    assert find_reference("compact", tiny.dataset(seed=1), parts) is None
    png, jpeg = (tiny.dataset(seed=s, index_order="torchvision") for s in (1, 2))
    kept("compact", png, SHORT, without=REQUEST)
    assert find_reference("compact", jpeg, parts) is not None
    assert find_reference("compact", DATA, parts) is None


def test_broken_off_and_resumed(own_models: Path) -> None:
    steps = train_model("compact", DATA, SHORT)
    for _ in range(5):
        next(steps)
    steps.close()
    steps = train_model("compact", DATA, SHORT)
    first = next(steps)
    assert isinstance(first, TrainingProgress)
    assert first.resumed_at == 5
    *_, base = steps
    assert tiny.same(base.load(), tiny.trained(tiny.images(DATA), SHORT).model)


def test_a_failure_while_it_is_kept_costs_no_training(
    own_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("core.checkpoints.references.write_outcomes", full)
        patch.setattr(storage, "save", full)
        with pytest.raises(OSError, match="No space"):
            kept()
    steps, base = kept()
    assert steps == 0
    assert tiny.same(base.load(), tiny.trained(tiny.images(DATA), SHORT).model)
    assert not list((own_models.parent / "training").glob("*.state"))


def test_leaving_with_the_model_in_hand_leaves_no_state(own_models: Path) -> None:
    for item in train_model("compact", DATA, SHORT):
        if isinstance(item, Checkpoint):
            break
    assert not list((own_models.parent / "training").glob("*.state"))


def test_outcomes_are_measured_once(own_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, base = kept()
    model, parts = base.load(), split(DATA, REQUEST)
    fresh = evaluate_model(model, DATA, parts)
    assert outcomes_file(base, DATA).exists()
    with monkeypatch.context() as patch:
        patch.setattr("core.checkpoints.outcomes.per_image", None)  # would fail if it were called
        found = evaluate_outcomes(base, model, DATA, parts)
    assert found.metrics() == fresh.metrics()
    np.testing.assert_array_equal(found.forget_losses, fresh.forget_losses)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "text", "empty", "shorter"])
def test_damaged_outcomes_are_measured_again(own_models: Path, damage: str) -> None:
    _, base = kept()
    file, model = outcomes_file(base, DATA), base.load()
    train, test = outcomes(base, model, DATA)
    content = file.read_bytes()
    if damage == "shorter":
        part = dataclasses.replace(
            train, losses=train.losses[:5], predictions=train.predictions[:5]
        )
        write_outcomes(file, part, test)
    else:
        flipped = bytearray(content)
        flipped[150] ^= 0xFF
        file.write_bytes(
            {
                "truncated": content[:-50],
                "flipped": bytes(flipped),
                "text": b"PK\x03\x04 no zip",
                "empty": b"",
            }[damage]
        )
    for _ in range(2):  # measured, then read from the cache folder
        again = outcomes(base, model, DATA)
        np.testing.assert_array_equal(again[0].losses, train.losses)
        np.testing.assert_array_equal(again[1].predictions, test.predictions)


def test_a_retrained_model_of_a_run_becomes_the_reference(own_models: Path) -> None:
    _, base = kept()
    parts = split(DATA, REQUEST)
    model = tiny.trained(tiny.images(DATA, parts.retain), SHORT, seed=5).model
    measured = evaluate_model(model, DATA, parts)
    reference = keep_reference(model, REQUEST, 5, DATA, parts, base, measured, 1.5)
    found = find_reference("compact", DATA, parts)
    assert found == reference
    assert tiny.same(found.load(), model)
    assert found.manifest["accuracy"]["forget"] == measured["forget_accuracy"].value
    assert found.manifest["recipe"] == SHORT.to_dict()


def test_memorised_requests_use_the_scores(own_models: Path) -> None:
    kept()
    scores = memorisation.memorisation_scores(DATA)
    _, reference = kept("compact", DATA, SHORT, without=ForgetRequest.most_memorised(6))
    parts = split(DATA, ForgetRequest.most_memorised(6), scores)
    assert reference.manifest["forget_digest"] == parts.digest
    assert scores is not None
    assert scores[parts.forget].min() >= np.delete(scores, parts.forget).max()
    assert torch.equal(DATA.train_images, tiny.dataset().train_images)


def test_the_first_base_gives_the_scores_and_no_later_one_changes_them(own_models: Path) -> None:
    """The preview of `memorised:N` must be what every architecture forgets."""
    kept()
    scores = memorisation.memorisation_scores(DATA)
    kept("compact", DATA, SHORT, seed=1)
    kept("sisa", DATA, tiny.SHARDS)
    np.testing.assert_array_equal(memorisation.memorisation_scores(DATA), scores)
    assert len(list(own_models.rglob("*.npy"))) == 1
    asked = ForgetRequest.most_memorised(6)
    digests = {
        kept(name, DATA, recipe, without=asked)[1].manifest["forget_digest"]
        for name, recipe in (("compact", SHORT), ("sisa", tiny.SHARDS))
    }
    assert digests == {split(DATA, asked, scores).digest}


SHIPPED_MEMORISED = {"digits": "memorised:50", "cifar10": "memorised:500"}


@pytest.mark.parametrize("name", SHIPPED_MEMORISED)
def test_what_ships_for_the_most_memorised(name: str, request: pytest.FixtureRequest) -> None:
    """Every architecture's reference of the classic case is of the set that the scores name."""
    folder = request.getfixturevalue("cifar10_folder") if name == "cifar10" else None
    data = load_dataset(name, folder)
    parts = memorisation.split_of(data, parse_request(SHIPPED_MEMORISED[name]))
    assert find_reference("compact", data, parts) is not None
    assert not list(SHIPPED.rglob("memorisation*.npy")), "scores of one architecture"


# In half precision, or what it does with the images alone


def test_in_half_precision_it_is_measured_as_it_is_kept(own_models: Path) -> None:
    _, base = kept("compact", DATA, SHORT, keep="half")
    whole = tiny.trained(tiny.images(DATA), SHORT).model
    model = base.load()
    for name, weight in model.named_parameters():
        assert weight.dtype == torch.float32
        full = dict(whole.named_parameters())[name]
        assert torch.equal(weight, full.half().float() if weight.ndim > 1 else full), name
    plain = storage.save_weights(whole, own_models / "plain.safetensors")
    assert plain
    small, large = base.weights.stat().st_size, (own_models / "plain.safetensors").stat().st_size
    assert small < 0.7 * large
    train, test = outcomes(base, model, DATA)
    again = per_image(model, DATA.test_images, DATA.test_labels)
    np.testing.assert_array_equal(test.losses, again.losses)
    assert train.logits.shape == (64, 10)
    np.testing.assert_array_equal(train.logits.argmax(1), train.predictions)
    np.testing.assert_array_equal(test.logits, again.logits)  # rounded as files have them
    with torch.inference_mode():
        np.testing.assert_allclose(test.logits, model(DATA.test_images), rtol=2e-3, atol=1e-3)


def test_answers_alone_are_kept_without_weights(own_models: Path) -> None:
    options = {"without": REQUEST, "keep": "logits"}
    steps, found = kept("compact", DATA, SHORT, **options)
    assert steps > 0
    assert not found.weights.exists()
    with pytest.raises(CheckpointMissing, match="only its answers are kept"):
        found.load()
    assert find_reference("compact", DATA, split(DATA, REQUEST)) == found
    assert outcomes_file(found, DATA).exists()
    assert kept("compact", DATA, SHORT, **options) == (0, found)
    # Who asks for something else gets it, in its place.
    steps, whole = kept("compact", DATA, SHORT, without=REQUEST)
    assert steps > 0
    whole.load()
    assert kept("compact", DATA, SHORT, **options)[0] == steps
    assert not found.weights.exists()


def test_two_recipes_are_trained_side_by_side(own_models: Path) -> None:
    """A training that was broken off goes on, though another recipe's was begun meanwhile."""
    muon = dataclasses.replace(SHORT, optimiser="muon")
    for recipe in (SHORT, muon):
        steps = train_model("compact", DATA, recipe, root=own_models / "other")
        next(steps), next(steps)
        steps.close()
    resumed = next(train_model("compact", DATA, SHORT, root=own_models / "other"))
    assert isinstance(resumed, TrainingProgress)
    assert resumed.resumed_at == 2
