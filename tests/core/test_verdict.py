"""The verdict: the right word for numbers, and known answers for what it is made of."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data.requests import ForgetRequest
from core.data.splits import Split
from core.evaluation import evaluate
from core.metrics.differences import auc_parts, paired_difference, unpaired_difference
from core.metrics.evidence import Outcome
from core.metrics.measures import Evaluation, Measure, wilson
from core.runs.run_files import run_from_files, shipped_runs
from core.runs.verdicts import verdict_of
from core.verdict import MARGINS, Signal, decide, judge


def signal(before: float, after: float, ideal: float, half: float = 0.008) -> Signal:
    away = after - ideal
    return Signal(
        "loss_auc", before, after, ideal, Measure(away, away - half, away + half, 999), 0.02, True
    )


TRIPLES = [
    # before, after, ideal, half the interval, the right word
    (0.612, 0.525, 0.494, 0.008, "partly forgotten"),
    (0.612, 0.519, 0.494, 0.008, "cannot tell"),  # .025 away, perhaps .017: the margin is .02
    (0.612, 0.612, 0.494, 0.008, "not forgotten"),  # doing nothing
    (0.612, 0.560, 0.494, 0.008, "not forgotten"),  # less than half of the way
    (0.612, 0.551, 0.494, 0.008, "partly forgotten"),
    (0.612, 0.494, 0.494, 0.008, "forgotten"),
    (0.612, 0.512, 0.494, 0.008, "forgotten"),
    (0.612, 0.476, 0.494, 0.008, "forgotten"),
    (0.612, 0.460, 0.494, 0.008, "forgotten too much"),
    (0.612, 0.300, 0.494, 0.008, "forgotten too much"),
    (0.612, 0.700, 0.494, 0.008, "not forgotten"),  # it went the wrong way
    (0.472, 0.903, 0.949, 0.010, "partly forgotten"),  # memorised: nine tenths of the way up
    (0.472, 0.472, 0.949, 0.010, "not forgotten"),
    (0.472, 0.600, 0.949, 0.010, "not forgotten"),
    (0.472, 0.940, 0.949, 0.010, "forgotten"),
    (0.472, 0.990, 0.949, 0.010, "forgotten too much"),
    (0.472, 0.930, 0.949, 0.030, "cannot tell"),
    (0.472, 0.300, 0.949, 0.010, "not forgotten"),
    (0.254, 0.036, 0.017, 0.004, "forgotten"),
    (0.254, 0.145, 0.017, 0.004, "not forgotten"),
    (0.254, 0.100, 0.017, 0.004, "partly forgotten"),
    (0.564, 0.492, 0.503, 0.0175, "forgotten"),  # a class, asked fairly
    (0.564, 0.492, 0.503, 0.0290, "cannot tell"),  # the same by fewer images
    (0.564, 0.470, 0.503, 0.0290, "cannot tell"),
    (0.564, 0.440, 0.503, 0.0290, "forgotten too much"),
    (0.564, 0.440, 0.503, 0.0700, "cannot tell"),
    (0.515, 0.503, 0.500, 0.008, "cannot tell"),  # it was at the ideal before
    (0.515, 0.560, 0.500, 0.008, "not forgotten"),
    (0.485, 0.560, 0.500, 0.008, "forgotten too much"),
    (1.000, 0.000, 0.000, 0.000, "forgotten"),
    (1.000, 0.880, 0.880, 0.000, "forgotten"),
    (1.000, 0.990, 0.000, 0.000, "not forgotten"),
    (1.000, 0.000, 0.880, 0.001, "forgotten too much"),
]


@pytest.mark.parametrize(("before", "after", "ideal", "half", "word"), TRIPLES)
def test_the_right_word(before: float, after: float, ideal: float, half: float, word: str) -> None:
    assert decide([signal(before, after, ideal, half)])[0] == word


@pytest.mark.parametrize(("before", "after", "ideal", "half", "word"), TRIPLES)
def test_mirrored_numbers_get_the_same_word(
    before: float, after: float, ideal: float, half: float, word: str
) -> None:
    """Nothing knows 50 %: numbers read from the other end tell the same story."""
    assert decide([signal(1 - before, 1 - after, 1 - ideal, half)])[0] == word


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.3))
def test_doing_nothing_is_never_forgotten(before: float, ideal: float, half: float) -> None:
    assert decide([signal(before, before, ideal, half)])[0] in ("not forgotten", "cannot tell")


def test_fewer_images_never_make_it_easier() -> None:
    """An interval that grows turns words into "cannot tell", and nothing into "forgotten"."""
    for before, after, ideal, _, _ in TRIPLES:
        words = [decide([signal(before, after, ideal, h)])[0] for h in (0.001, 0.01, 0.1, 0.5)]
        for finer, coarser in itertools.pairwise(words):
            assert coarser in (finer, "cannot tell")


@pytest.mark.parametrize("known", range(4, 17))
def test_a_few_images_of_500_decide_nothing(known: int) -> None:
    """The most memorised: the retrained network knows 3 of 500, and fine-tuning left 9 to 13 from
    one seed or precision to the next, which used to change the word."""
    ideal, mine = np.zeros(500, bool), np.zeros(500, bool)
    ideal[:3], mine[3 : 3 + known] = True, True
    away = paired_difference(mine, ideal)
    found = Signal("forget_accuracy", 0.952, known / 500, 0.006, away, 0.01, True)
    assert found.place == "cannot tell"


def test_all_signals_count() -> None:
    gone, left = signal(1.0, 0.0, 0.0, 0.0), signal(0.6, 0.57, 0.5)
    beyond, unsure = signal(0.6, 0.4, 0.5), signal(0.6, 0.51, 0.5, 0.05)
    assert decide([gone, left])[0] == "partly forgotten"
    assert decide([gone, left])[1] == pytest.approx((1 + 0.3) / 2)
    assert decide([gone, beyond])[0] == "forgotten too much"
    assert decide([gone, unsure])[0] == "cannot tell"
    assert decide([left, beyond])[0] == "partly forgotten"
    assert decide([beyond, unsure])[0] == "forgotten too much"
    assert decide([gone]) == ("forgotten", 1.0, "")


# What the signals are made of


@given(
    st.lists(st.integers(0, 8), min_size=1, max_size=30),
    st.lists(st.integers(0, 8), min_size=1, max_size=30),
)
def test_auc_counts_pairs(forget: list[int], unseen: list[int]) -> None:
    mine, others = np.array(forget, np.float32), np.array(unseen, np.float32)
    lower = (mine[:, None] < others).sum() + (mine[:, None] == others).sum() / 2
    value, (of_forget, of_unseen) = auc_parts(mine, others)
    assert value == pytest.approx(lower / (len(mine) * len(others)))
    assert of_forget.mean() == pytest.approx(value)
    assert of_unseen.mean() == pytest.approx(value)


def test_auc_of_two_known_gaussians() -> None:
    """P(X < Y) for X ~ N(0, 1) and Y ~ N(1, 1) is Phi(1 / sqrt 2) = .7602."""
    draw = np.random.default_rng(0)
    value, _ = auc_parts(
        draw.normal(0, 1, 40_000).astype(np.float32), draw.normal(1, 1, 40_000).astype(np.float32)
    )
    assert value == pytest.approx(0.7602, abs=0.006)


def test_auc_does_not_know_the_scale_and_bears_divergence() -> None:
    draw = np.random.default_rng(1)
    mine, others = draw.exponential(1, 50), draw.exponential(2, 60)
    value = auc_parts(mine.astype(np.float32), others.astype(np.float32))[0]
    assert auc_parts(20 * mine.astype(np.float32), 20 * others.astype(np.float32))[0] == value
    bad = np.full(50, math.nan, np.float32)
    assert auc_parts(bad, others.astype(np.float32))[0] == 0
    assert auc_parts(bad, bad)[0] == 0.5


def test_paired_and_unpaired_differences_by_hand() -> None:
    first = np.array([1, 1, 1, 0, 0, 1, 1, 1, 1, 1], bool)
    second = np.array([1, 1, 0, 0, 1, 1, 1, 1, 1, 0], bool)
    found = paired_difference(first, second)
    assert found.value == pytest.approx(0.1)
    # Two for, one against of ten: variance .3 - .01.
    assert found.high - found.value == pytest.approx(1.96 * math.sqrt(0.29 / 10), abs=1e-3)
    assert paired_difference(first, first) == Measure(0, 0, 0, 10)
    # Newcombe 1998, table II (a): 56/70 - 48/80 = .2, .0524 to .3339.
    a, b = wilson(56, 70), wilson(48, 80)
    wide = unpaired_difference(a, b)
    assert (wide.value, wide.low, wide.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)


# Models


LABELS = np.arange(4000) % 10
PARTS = Split(*np.split(np.arange(4000), [1000]), np.arange(2000), np.arange(1000), np.arange(2000))
REQUEST = ForgetRequest.random(1000)


def model(seed: int, forget: float, test: float, loss: float = 1.0) -> Evaluation:
    """Right on shares of the forget and the test images, all retained; its losses are of one
    distribution, those of the forget images times `loss`. Images that are hard stay hard."""
    hardness, draw = np.random.default_rng(9), np.random.default_rng(seed)
    hard = [hardness.normal(0, 2, n) for n in (4000, 2000)]
    train, unseen = (np.exp(h + draw.normal(0, 0.4, len(h))) for h in hard)
    train[:1000] *= loss
    right = np.ones(4000, bool)
    right[:1000] = np.argsort(np.argsort(hard[0][:1000])) < round(1000 * forget)
    right_test = np.argsort(np.argsort(hard[1])) < round(2000 * test)
    made = [
        Outcome(losses.astype(np.float32), np.where(r, LABELS[: len(r)], 99).astype(np.int64))
        for losses, r in ((train, right), (unseen, right_test))
    ]
    return evaluate(*made, LABELS, LABELS[:2000], PARTS)


BEFORE, IDEAL = model(1, 1.0, 0.88, 0.3), model(2, 0.88, 0.88)


def test_a_second_retraining_is_forgotten_and_undamaged() -> None:
    found = judge(BEFORE, model(3, 0.88, 0.88), IDEAL, REQUEST)
    assert found is not None
    assert (found.word, found.damaged, found.betrayed_by) == ("forgotten", (), "")
    assert all(s.paired for s in found.signals)
    assert [s.name for s in found.signals] == list(MARGINS)[:2] + list(MARGINS)[2:]


def test_nothing_done_half_done_and_overdone() -> None:
    for after, word, by in (
        (BEFORE, "not forgotten", "forget_accuracy"),
        (model(3, 0.89, 0.88, 0.7), "partly forgotten", "loss_auc"),
        (model(3, 0.93, 0.88), "partly forgotten", "forget_accuracy"),
        (model(3, 0.88, 0.88, 2.0), "forgotten too much", "loss_auc"),
        (model(3, 0.50, 0.88), "forgotten too much", "forget_accuracy"),
    ):
        found = judge(BEFORE, after, IDEAL, REQUEST)
        assert found is not None
        assert (found.word, found.betrayed_by) == (word, by)


def test_damage_stands_beside_any_word() -> None:
    found = judge(BEFORE, model(3, 0.88, 0.84), IDEAL, REQUEST)
    assert found is not None
    assert (found.word, found.damaged) == ("forgotten", ("retained_test_accuracy",))
    better = judge(BEFORE, model(3, 0.88, 0.95), IDEAL, REQUEST)
    assert better is not None
    assert better.damaged == ()


def test_dividing_the_logits_does_not_please_it() -> None:
    """Losses on another scale in the same order: nothing was forgotten."""
    flat = dataclasses.replace(
        BEFORE,
        forget_losses=np.log1p(BEFORE.forget_losses) / 20 + 2,
        test_losses=np.log1p(BEFORE.test_losses) / 20 + 2,
    )
    found = judge(BEFORE, flat, IDEAL, REQUEST)
    assert found is not None
    assert found.word == "not forgotten"


def test_runs_without_images_of_their_own_are_compared_unpaired() -> None:
    bare = dict.fromkeys(Evaluation.CORRECT)
    old = dataclasses.replace(model(3, 0.88, 0.88), **bare)
    found = judge(BEFORE, old, IDEAL, REQUEST)
    assert found is not None
    forget = found.signal("forget_accuracy")
    assert forget is not None
    assert not forget.paired
    assert forget.difference.low < -0.02 < 0.02 < forget.difference.high
    assert found.word == "cannot tell"


def test_the_spread_of_retrainings_widens_the_margin() -> None:
    after = model(3, 0.90, 0.88)
    assert judge(BEFORE, after, IDEAL, REQUEST).word == "partly forgotten"  # type: ignore[union-attr]
    spread = {"forget_accuracy": 0.0125}
    assert judge(BEFORE, after, IDEAL, REQUEST, spread).word == "forgotten"  # type: ignore[union-attr]


def test_without_an_ideal_there_is_no_verdict() -> None:
    assert judge(BEFORE, IDEAL, None, REQUEST) is None
    assert judge(BEFORE, None, IDEAL, REQUEST) is None


def test_a_handful_of_images_cannot_tell() -> None:
    few = Split(np.arange(5), np.arange(5, 4000), *dataclasses.astuple(PARTS)[2:])
    outcome = Outcome(np.ones(4000, np.float32), LABELS.astype(np.int64))
    unseen = Outcome(np.ones(2000, np.float32), LABELS[:2000].astype(np.int64))
    wrong = Outcome(np.full(4000, 5, np.float32), np.full(4000, 99))
    before = evaluate(outcome, unseen, LABELS, LABELS[:2000], few)
    after = evaluate(wrong, unseen, LABELS, LABELS[:2000], few)
    found = judge(before, after, after, REQUEST)
    assert found is not None
    assert found.word == "cannot tell"


def test_every_shipped_run_has_a_verdict_that_its_numbers_bear_out() -> None:
    for summary in shipped_runs():
        found = verdict_of(run_from_files("models_cache/runs", summary.id))
        assert found is not None
        assert found.word != "not forgotten"
        for s in found.signals:
            assert s.difference.value == pytest.approx(s.after - s.ideal)
