"""Deletions in turn: what each may still see, and the same as at once where it must be."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from core.checkpoints.features import features
from core.checkpoints.storage import Checkpoint
from core.data.requests import ForgetRequest
from core.data.splits import split
from core.errors import BadRequest, EmptyForgetSet, EverythingForgotten
from core.models.classifier import Classifier
from core.robustness.sequence import Offer, deletions, in_turn, pieces
from core.runs.offered_data import offering
from core.unlearners import make
from core.unlearners.base import Unlearner
from tests import tiny

pytestmark = pytest.mark.usefixtures("small_compact")

DATA = tiny.dataset()
BASE = Checkpoint(Path("base"), {"architecture": "compact", "recipe": tiny.SHORT.to_dict()})
FIRST, SECOND = ForgetRequest.random(12), ForgetRequest.random(12, seed=1)
FINE_TUNE = make("fine_tune", {"epochs": 1, "batch_size": 16})


@pytest.fixture(scope="module")
def model() -> Classifier:
    return tiny.trained(tiny.images(DATA), tiny.SHORT).model


def offer(method: Unlearner) -> Offer:
    return offering(DATA, BASE, method.needs)


def test_what_was_deleted_is_neither_forgotten_again_nor_learned_again() -> None:
    splits = deletions(DATA, [FIRST, SECOND, ForgetRequest.of_classes("c")])
    gone: set[int] = set()
    for parts in splits:
        forget, retain = set(parts.forget.tolist()), set(parts.retain.tolist())
        assert forget
        assert not forget & gone
        gone |= forget
        assert retain == set(range(64)) - gone
    assert [parts.whole_classes for parts in splits] == [(), (), (2,)]
    each = [set(split(DATA, r).forget.tolist()) for r in (FIRST, SECOND)]
    assert gone == each[0] | each[1] | set(np.flatnonzero(DATA.train_labels.numpy() == 2).tolist())


@pytest.mark.parametrize("request_", [ForgetRequest.random(0.25), ForgetRequest.of_classes("c")])
def test_five_pieces_are_the_whole(request_: ForgetRequest) -> None:
    """Five in turn end with the forget set of the one at once, and with its retained images."""
    whole = split(DATA, request_)
    splits = deletions(DATA, pieces(whole, 5))
    together = np.concatenate([parts.forget for parts in splits])
    np.testing.assert_array_equal(np.sort(together), whole.forget)
    np.testing.assert_array_equal(splits[-1].retain, whole.retain)
    sizes = [len(parts.forget) for parts in splits]
    assert max(sizes) - min(sizes) <= 1
    assert pieces(whole, 5) == pieces(whole, 5) != pieces(whole, 5, seed=1)
    assert pieces(whole, 1)[0].indices == tuple(whole.forget.tolist())


def test_deletions_that_cannot_be_are_said() -> None:
    with pytest.raises(EmptyForgetSet, match="Deletion 2 of this sequence is empty"):
        deletions(DATA, [FIRST, FIRST])
    halves = [ForgetRequest.of_indices(range(32)), ForgetRequest.of_indices(range(32, 64))]
    with pytest.raises(EverythingForgotten, match="With deletion 2"):
        deletions(DATA, halves)
    for count in (0, 17):
        with pytest.raises(BadRequest, match=f"16 images cannot be forgotten in {count} deletions"):
            pieces(split(DATA, ForgetRequest.random(0.25)), count)


def test_a_sequence_of_one_is_the_one_at_once(model: Classifier) -> None:
    whole = split(DATA, FIRST)
    expected, found = copy.deepcopy(model), copy.deepcopy(model)
    data = offer(FINE_TUNE)(expected, whole)
    list(FINE_TUNE.run(expected, data, torch.Generator().manual_seed(3)))
    steps = list(in_turn(FINE_TUNE, found, deletions(DATA, pieces(whole, 1)), offer(FINE_TUNE), 3))
    assert tiny.same(expected, found)
    assert {step.phase for step in steps} == {"deletion 1 of 1"}


def test_each_goes_on_from_the_last_weights(model: Classifier) -> None:
    splits = deletions(DATA, [FIRST, SECOND])
    expected, found = copy.deepcopy(model), copy.deepcopy(model)
    give = offer(FINE_TUNE)
    for seed, parts in enumerate(splits, 5):
        generator = torch.Generator().manual_seed(seed)
        list(FINE_TUNE.run(expected, give(expected, parts), generator))
    list(in_turn(FINE_TUNE, found, splits, give, seed=5))
    assert tiny.same(found, expected)
    assert not tiny.same(found, model)


def test_what_is_known_of_a_model_is_of_the_model_as_it_stands(model: Classifier) -> None:
    (parts,) = deletions(DATA, [FIRST])
    now = copy.deepcopy(model)
    needs = frozenset({"forget", "features", "importance"})
    data = offering(DATA, BASE, needs)(now, parts)
    expected = features(now, data.forget)
    with torch.no_grad():
        for weight in now.parameters():
            weight.mul_(2)
    assert torch.equal(data.features(data.forget), expected)
    importance = data.record("importance")("squared_gradient")
    assert importance.keys() == dict(model.named_parameters()).keys()
    later = offering(DATA, BASE, needs)(now, parts)
    assert not torch.equal(later.features(later.forget), expected)
    with pytest.raises(BadRequest, match="kept with its checkpoint only"):
        offering(DATA, BASE, frozenset({"shards"}))(model, parts)


def test_a_method_that_does_not_apply_says_so(model: Classifier) -> None:
    of_classes = make("unsir")
    splits = deletions(DATA, [FIRST])
    with pytest.raises(BadRequest, match="forgets whole classes"):
        list(in_turn(of_classes, copy.deepcopy(model), splits, offer(of_classes)))


def test_what_a_later_deletion_does_not_have_it_cannot_read(model: Classifier) -> None:
    splits = deletions(DATA, [FIRST, SECOND])
    data = offer(FINE_TUNE)(model, splits[1])
    assert not np.isin(data.retain.indices.numpy(), splits[0].forget).any()
