"""Results: their JSON form and back, and the shared bins."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from core.data.requests import ForgetRequest
from core.errors import BadRequest
from core.metrics.histogram import BINS, density, overlap
from core.metrics.measures import AttackMeasure, Evaluation, Measure, share_of, wilson
from core.runs.plan import Plan

loss_arrays = npst.arrays(
    np.float32,
    st.integers(1, 60),
    elements=st.floats(0, 1e6, width=32) | st.sampled_from([math.nan, math.inf]),
)


@given(loss_arrays, loss_arrays)
def test_shares_sum_to_one_and_the_overlap_is_a_share(first, second):
    assert density(first).sum() == pytest.approx(1)
    assert overlap(first, first) == pytest.approx(1)
    common = overlap(first, second)
    assert -1e-12 <= common <= 1 + 1e-12
    assert common == overlap(second, first)


def test_disjoint_losses_have_no_overlap():
    assert overlap(np.full(10, 0.01, np.float32), np.full(10, 4.0, np.float32)) == 0


def test_half_of_the_losses_shared():
    first = np.array([0.01, 0.01, 1.0, 1.0], np.float32)
    second = np.array([0.01, 0.01, 0.1, 0.1], np.float32)
    assert overlap(first, second) == pytest.approx(0.5)


def test_what_lies_beyond_the_bins_is_kept_in_those_at_the_ends():
    losses = np.array([0.0, -0.0, 1e-9, 1e3, math.inf, math.nan], np.float32)
    shares = density(losses)
    assert shares.shape == (40,)
    assert shares[[0, -1]] == pytest.approx([0.5, 0.5])


def test_the_bins_tell_small_losses_apart():
    assert overlap(np.full(50, 1e-4, np.float32), np.full(50, 1e-2, np.float32)) == 0
    ratios = BINS[1:] / BINS[:-1]
    assert ratios == pytest.approx(np.full(40, ratios[0]))


def test_no_losses_have_no_shares():
    assert density(np.zeros(0, np.float32)).tolist() == [0.0] * 40


@given(st.integers(0, 500), st.integers(1, 500))
def test_wilson_holds_the_value(hits, n):
    measure = wilson(min(hits, n), n)
    assert 0 <= measure.low <= measure.value <= measure.high <= 1


def test_wilson_of_nothing():
    measure = wilson(0, 0)
    assert math.isnan(measure.value)
    assert (measure.low, measure.high, measure.n) == (0, 1, 0)
    assert measure.to_dict() == {"value": None, "low": 0, "high": 1, "n": 0}
    assert math.isnan(Measure.from_dict(measure.to_dict()).value)


def test_an_evaluation_survives_json_and_arrays():
    right = np.array([True, False, True])
    parts = np.arange(3, dtype=np.float32), np.arange(2, dtype=np.float32)
    arrays = {name: np.arange(3, dtype=np.float32) for name in Evaluation.LOSSES}
    evaluation = Evaluation(
        {
            "forget_accuracy": share_of(right),
            "margin_auc": Measure(0.5, 0.4, 0.6, 2, each=parts),
            "retained_test_accuracy": wilson(0, 0),
            "mia": AttackMeasure(0.6, 0.55, 0.65, 100, "forget lower"),
            "mia_class_matched": None,
            "overlap": Measure(0.8, math.nan, math.nan, 3),
        },
        **arrays,
    )
    text = json.dumps(evaluation.metrics(), allow_nan=False)
    again = Evaluation.build(json.loads(text), evaluation.arrays())
    assert again.metrics() == evaluation.metrics()
    assert again["mia"] == evaluation["mia"]
    assert again["mia_class_matched"] is None
    assert again.arrays().keys() == arrays.keys() | {
        "forget_accuracy.0", "margin_auc.0", "margin_auc.1",
    }  # fmt: skip
    for found, expected in zip(again["margin_auc"].each, parts, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert json.loads(text)["mia_class_matched"] is None
    assert json.loads(text)["retained_test_accuracy"]["value"] is None
    assert math.isnan(again.value("retained_test_accuracy"))
    assert math.isnan(again["overlap"].low)
    # A metric that came later is not known, and a number alone is how older records have it.
    assert again["of later"] is None
    assert math.isnan(again.value("of later"))
    older = Evaluation.build(
        {"overlap": 0.25, "forget_accuracy": 2 / 3}, {**arrays, "forget_correct": right}
    )
    assert older.value("overlap") == 0.25
    assert older["forget_accuracy"].each[0].tolist() == right.tolist()


def test_a_plan_survives_json():
    plan = Plan(
        "compact", "digits", ForgetRequest.random(0.1), "fine_tune", {"epochs": 2, "x": 1e-3}, 4
    )
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


@pytest.mark.parametrize(
    "change",
    [
        {"request": None},
        {"request": {"kind": "everything"}},
        {"settings": 3},
        {"settings": "ab"},
        {"seed": "x"},
        {"seed": None},
        {"model": 3},
        {"unknown": 1},
    ],
)
def test_a_broken_plan_is_a_bad_request(change):
    fields = Plan("compact", "digits", ForgetRequest.random(5), "fine_tune").to_dict()
    with pytest.raises(BadRequest):
        Plan.from_dict(fields | change)
    with pytest.raises(BadRequest):
        Plan.from_dict({"model": "compact"})
