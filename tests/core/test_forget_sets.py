"""Forget requests, their short and their JSON forms, and the splits they stand for."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.data.request_text import parse_request
from core.data.requests import FOLDS, KINDS, ForgetRequest
from core.data.splits import split
from core.errors import (
    BadRequest,
    EmptyForgetSet,
    EverythingForgotten,
    IndexOutOfRange,
    UnknownClass,
)

NAMES = ("cat", "dog", "frog", "ship")


def dataset(train: int = 200, test: int = 80, seed: int = 0) -> SimpleNamespace:
    """Labels only: 4 classes in random order, as many of each."""
    draw = np.random.default_rng(seed)
    labels = [torch.from_numpy(draw.permutation(np.arange(n) % 4)) for n in (train, test)]
    return SimpleNamespace(train_labels=labels[0], test_labels=labels[1], class_names=NAMES)


DATA = dataset()
LABELS, TEST_LABELS = DATA.train_labels.numpy(), DATA.test_labels.numpy()
SCORES = np.random.default_rng(5).normal(size=200)

seeds = st.integers(0, 2**32)
requests = st.one_of(
    st.builds(ForgetRequest.random, st.integers(1, 199), seeds),
    st.builds(ForgetRequest.random, st.floats(0.01, 0.99), seeds),
    st.builds(
        lambda names, fraction, seed: ForgetRequest.of_classes(
            *names, fraction=fraction, seed=seed
        ),
        st.lists(st.sampled_from(NAMES), min_size=1, max_size=6),
        st.none() | st.floats(0.02, 0.99),
        seeds,
    ),
    st.builds(ForgetRequest.of_indices, st.lists(st.integers(0, 199), min_size=1, max_size=50)),
    st.builds(ForgetRequest.most_memorised, st.integers(1, 199), st.sampled_from([1, 2])),
)


@given(requests)
def test_a_split_is_a_partition_with_sorted_views(asked):
    try:
        result = split(DATA, asked, SCORES)
    except EverythingForgotten:
        assert set(asked.classes) == set(NAMES)
        return
    assert np.array_equal(np.sort(np.concatenate([result.forget, result.retain])), np.arange(200))
    assert len(result.forget)
    assert len(result.retain)
    for name in ("forget", "retain", "test", "test_class_matched", "test_retained"):
        indices = getattr(result, name)
        assert indices.dtype == np.int64
        assert np.all(np.diff(indices) > 0)
    assert result.test.tolist() == list(range(80))
    kept = set(LABELS[result.retain])
    assert set(TEST_LABELS[result.test_retained]) == kept
    assert len(result.test_retained) == sum(label in kept for label in TEST_LABELS)
    assert set(TEST_LABELS[result.test_class_matched]) == set(LABELS[result.forget])


@given(requests)
def test_a_request_survives_json_and_means_the_same(asked):
    again = ForgetRequest.from_json(asked.to_json())
    assert again == asked
    assert hash(again) == hash(asked)
    assert again.to_json() == asked.to_json()
    assert asked.describe()
    with contextlib.suppress(EverythingForgotten):
        assert split(DATA, again, SCORES).digest == split(DATA, asked, SCORES).digest


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(
    json_values
    | st.fixed_dictionaries(
        {"kind": st.sampled_from(KINDS)},
        optional=dict.fromkeys(
            ("count", "fraction", "classes", "indices", "seed", "fold"), json_values
        ),
    )
)
def test_any_json_is_a_request_or_a_bad_request(fields):
    try:
        request = ForgetRequest.from_dict(fields)
        split(DATA, request, SCORES)
    except BadRequest:
        pass


@given(
    st.text(max_size=20)
    | st.text(max_size=10).map("random:".__add__)
    | st.text(max_size=10).map("class:".__add__)
    | st.text(max_size=10).map("indices:".__add__)
)
def test_any_text_is_a_request_or_a_bad_request(text):
    with contextlib.suppress(BadRequest):
        parse_request(text)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '"random"', "[" * 100_000])
def test_broken_json_is_a_bad_request(text):
    with pytest.raises(BadRequest):
        ForgetRequest.from_json(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("random:0.1", ForgetRequest.random(0.1, 3)),
        ("random:5e-2", ForgetRequest.random(0.05, 3)),
        ("random:500", ForgetRequest.random(500, 3)),
        ("class:cat", ForgetRequest.of_classes("cat", seed=3)),
        ("class:cat,dog", ForgetRequest.of_classes("cat", "dog", seed=3)),
        ("class:cat, dog", ForgetRequest.of_classes("cat", "dog", seed=3)),
        ("class:cat:0.5", ForgetRequest.of_classes("cat", fraction=0.5, seed=3)),
        ("memorised:500", ForgetRequest.most_memorised(500)),
        ("memorised-v2:500", ForgetRequest.most_memorised(500, version=2)),
    ],
)
def test_parse_reads_every_form(text, expected):
    assert parse_request(text, seed=3) == expected


def test_parse_reads_an_index_file(tmp_path):
    path = tmp_path / "chosen.txt"
    path.write_text("7\n3\n\n3\n12\n")
    assert parse_request(f"indices:{path}") == ForgetRequest.of_indices([3, 7, 12])
    path.write_text("7\nseven\n")
    with pytest.raises(BadRequest):
        parse_request(f"indices:{path}")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadRequest):
        parse_request(f"indices:{path}")
    with pytest.raises(BadRequest, match="index file"):
        parse_request(f"indices:{tmp_path / 'absent'}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "random",
        "random:",
        "random:x",
        "random:1.5",
        "random:-3",
        "random:nan",
        "class:",
        "class:,",
        "class:cat:half",
        "class:cat:2",
        "memorised:",
        "memorised:0.5",
        "indices:",
        "everything",
        "Random:5",
    ],
)
def test_parse_refuses_the_rest(text):
    with pytest.raises(BadRequest):
        parse_request(text)


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (ForgetRequest.random(0), EmptyForgetSet),
        (ForgetRequest.random(0.0), EmptyForgetSet),
        (ForgetRequest.random(0.001), EmptyForgetSet),
        (ForgetRequest.of_indices([]), EmptyForgetSet),
        (ForgetRequest.most_memorised(0), EmptyForgetSet),
        (ForgetRequest.of_classes("cat", fraction=0.0), EmptyForgetSet),
        (ForgetRequest.random(200), EverythingForgotten),
        (ForgetRequest.random(1.0), EverythingForgotten),
        (ForgetRequest.of_indices(range(200)), EverythingForgotten),
        (ForgetRequest.of_classes(*NAMES), EverythingForgotten),
        (ForgetRequest.most_memorised(200), EverythingForgotten),
        (ForgetRequest.of_indices([0, 200]), IndexOutOfRange),
        (ForgetRequest.of_indices([-1]), IndexOutOfRange),
        (ForgetRequest.of_indices([10**30]), IndexOutOfRange),
        (ForgetRequest.of_classes("cow"), UnknownClass),
        (ForgetRequest.random(201), BadRequest),
        (ForgetRequest.most_memorised(201), BadRequest),
    ],
)
def test_typed_errors(request_, error):
    with pytest.raises(error) as caught:
        split(DATA, request_, SCORES)
    assert type(caught.value) is error
    assert str(caught.value)


def test_requests_that_make_no_sense_are_refused():
    with pytest.raises(EmptyForgetSet):
        ForgetRequest.of_classes()
    for fields in (
        {"kind": "random"},
        {"kind": "random", "count": 3, "fraction": 0.1},
        {"kind": "random", "count": 3, "classes": ("cat",)},
        {"kind": "indices", "indices": (3,), "count": 1},
        {"kind": "memorised"},
        {"kind": "memorised", "count": 3, "fraction": 0.5},
        {"kind": "classes", "classes": ("cat",), "count": 4},
        {"kind": "random", "count": 3, "seed": -1},
        {"kind": "random", "fraction": float("nan")},
        {"kind": "all"},
    ):
        with pytest.raises(BadRequest):
            ForgetRequest(**fields)
    with pytest.raises(BadRequest, match="memorisation scores"):
        split(DATA, ForgetRequest.most_memorised(3))


def test_counts_and_classes_are_as_asked():
    assert len(split(DATA, ForgetRequest.random(0.1)).forget) == 20
    assert len(split(DATA, ForgetRequest.random(17)).forget) == 17
    cats = split(DATA, ForgetRequest.of_classes("cat"))
    assert set(LABELS[cats.forget]) == {0}
    assert len(cats.forget) == 50
    assert 0 not in TEST_LABELS[cats.test_retained]
    half = split(DATA, ForgetRequest.of_classes("cat", "dog", fraction=0.5))
    assert np.bincount(LABELS[half.forget]).tolist() == [25, 25]
    assert len(half.test_retained) == 80
    top = split(DATA, ForgetRequest.most_memorised(5), SCORES)
    assert set(top.forget) == set(np.argsort(SCORES)[-5:])
    assert split(DATA, ForgetRequest.of_indices([9, 4, 9])).forget.tolist() == [4, 9]


def test_the_seed_alone_decides_a_random_set():
    def drawn(seed: int) -> str:
        return split(DATA, ForgetRequest.random(20, seed)).digest

    assert drawn(1) == drawn(1) != drawn(2)
    one_way = ForgetRequest.of_classes("cat", "dog", fraction=0.5)
    other_way = ForgetRequest.of_classes("dog", "cat", "dog", fraction=0.5)
    assert split(DATA, one_way).digest == split(DATA, other_way).digest


def test_forget_sets_stay_the_same_for_ever():
    # References and links belong to these sets: a change here is a change of what they mean.
    random = split(DATA, ForgetRequest.random(0.1, 0))
    assert random.digest == "3faa20c0bf3ed40c"
    cats = split(DATA, ForgetRequest.of_classes("cat", fraction=0.5))
    assert cats.digest == "4ad79e11dfca4668"


def test_class_matched_has_the_forget_sets_class_mix():
    # 4 cats and 2 dogs: the test set affords them exactly.
    cats, dogs = np.flatnonzero(LABELS == 0), np.flatnonzero(LABELS == 1)
    few = split(DATA, ForgetRequest.of_indices([*cats[:4], *dogs[:2]]))
    assert np.bincount(TEST_LABELS[few.test_class_matched]).tolist() == [4, 2]
    # 40 cats and 20 dogs with 20 test cats: both are halved.
    many = split(DATA, ForgetRequest.of_indices([*cats[:40], *dogs[:20]]))
    assert np.bincount(TEST_LABELS[many.test_class_matched]).tolist() == [20, 10]


def test_class_matched_without_such_test_images():
    no_cats = SimpleNamespace(
        train_labels=DATA.train_labels,
        test_labels=DATA.test_labels[DATA.test_labels != 0],
        class_names=NAMES,
    )
    assert len(split(no_cats, ForgetRequest.of_classes("cat")).test_class_matched) == 0
    both = split(no_cats, ForgetRequest.of_classes("cat", "dog")).test_class_matched
    assert set(no_cats.test_labels.numpy()[both]) == {1}


def test_the_json_form_is_small_and_frozen():
    request = ForgetRequest.random(0.1)
    assert json.loads(request.to_json()) == {"kind": "random", "seed": 0, "fraction": 0.1}
    with pytest.raises(dataclasses.FrozenInstanceError):
        request.seed = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (ForgetRequest.random(0.1), "a random 10 % of the training images"),
        (ForgetRequest.random(1), "1 random training image"),
        (ForgetRequest.of_classes("cat", "dog"), "every image of the classes cat and dog"),
        (ForgetRequest.of_classes("1"), "every image of the class 1"),
        (ForgetRequest.of_classes("1", "3", "8"), "every image of the classes 1, 3 and 8"),
        (ForgetRequest.of_classes("automobile"), "every image of the class automobile"),
        (ForgetRequest.of_classes("cat", fraction=0.5), "50 % of the images of the class cat"),
        (ForgetRequest.most_memorised(1500), "the 1,500 most memorised training images"),
        (
            ForgetRequest.most_memorised(20, version=2),
            "the 20 training images most learned by heart",
        ),
        (ForgetRequest.of_indices([4]), "1 chosen training image"),
    ],
)
def test_describe(request_, words):
    assert request_.describe() == words


# Folds


def test_folds_partition_the_training_images_and_the_first_is_the_usual_tenth() -> None:
    parts = [split(DATA, ForgetRequest.of_fold(k)) for k in range(FOLDS)]
    n = len(DATA.train_labels)
    together = np.concatenate([part.forget for part in parts])
    assert sorted(together.tolist()) == list(range(n))
    assert {len(part.forget) for part in parts} <= {n // FOLDS, n // FOLDS + 1}
    if n % FOLDS == 0:
        assert parts[0].digest == split(DATA, ForgetRequest.random(0.1)).digest
    assert not np.array_equal(np.sort(together[: n // 2]), np.arange(n // 2))  # not in order


def test_a_fold_is_a_request_like_any_other() -> None:
    asked = parse_request("fold:3")
    assert asked == ForgetRequest.of_fold(3) == ForgetRequest.from_json(asked.to_json())
    assert asked.describe() == "a fixed tenth of the training images (fold 3 of 0 to 9)"
    for wrong in ("fold:10", "fold:-1", "fold:", "fold:x", "fold:1.5"):
        with pytest.raises(BadRequest):
            parse_request(wrong)
    with pytest.raises(BadRequest, match="no seed moves them"):
        ForgetRequest("fold", fold=3, seed=1)
    with pytest.raises(BadRequest, match="has no fold"):
        ForgetRequest("random", count=3, fold=1)


def test_what_a_model_is_judged_on_has_a_name_of_its_own() -> None:
    """The same images to forget beside other test images are another judgement."""
    asked = ForgetRequest.of_classes("cat", fraction=0.2, seed=3)
    first = split(DATA, asked)
    second = split(DATA, ForgetRequest.of_indices(first.forget))
    assert first.digest == second.digest
    assert not np.array_equal(first.test_fair, second.test_fair)
    assert first.judged != second.judged
    assert first.judged == split(DATA, asked).judged
    by_chance = dataclasses.replace(second, by_class=False)
    assert by_chance.judged not in (first.judged, second.judged)
