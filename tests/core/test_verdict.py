"""The verdict: the right word for numbers, and known answers for what it is made of."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.attacks.curve import auc
from core.checkpoints.spread import retraining_spread
from core.data.splits import Split
from core.errors import LabError
from core.evaluation import evaluate
from core.metrics.differences import difference
from core.metrics.evidence import Outcome
from core.metrics.measures import Evaluation, Measure, of_images, share_of, wilson
from core.metrics.metric import Signal as Kind
from core.runs.run_files import run_from_files, shipped_runs
from core.runs.verdicts import verdict_of
from core.verdict import Signal, decide, judge, verdict_on


def signal(
    before: float, after: float, ideal: float, half: float = 0.008, kind: Kind = "outputs"
) -> Signal:
    away = after - ideal
    return Signal(
        "margin_auc",
        kind,
        before,
        after,
        ideal,
        Measure(away, away - half, away + half, 999),
        0.02,
        True,
    )


TRIPLES = [
    # before, after, ideal, half the interval, the right word
    (0.612, 0.525, 0.494, 0.008, "partly forgotten"),
    (0.612, 0.519, 0.494, 0.008, "partly forgotten"),  # .025 away, and surely away: margin .02
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
    (0.564, 0.470, 0.503, 0.0290, "forgotten too much"),
    (0.564, 0.470, 0.503, 0.0350, "cannot tell"),  # it may be none
    (0.564, 0.440, 0.503, 0.0290, "forgotten too much"),
    (0.564, 0.440, 0.503, 0.0700, "cannot tell"),
    (0.515, 0.503, 0.500, 0.008, "cannot tell"),  # it was at the ideal before
    (0.515, 0.560, 0.500, 0.008, "not forgotten"),
    (0.485, 0.560, 0.500, 0.008, "not forgotten"),  # nor was there a way: a spy now knows them
    (1.000, 0.000, 0.000, 0.000, "forgotten"),
    (1.000, 0.880, 0.880, 0.000, "forgotten"),
    (1.000, 0.990, 0.000, 0.000, "not forgotten"),
    (1.000, 0.000, 0.880, 0.001, "forgotten too much"),
]


@pytest.mark.parametrize(("before", "after", "ideal", "half", "word"), TRIPLES)
def test_the_right_word(before: float, after: float, ideal: float, half: float, word: str) -> None:
    assert decide([signal(before, after, ideal, half)])[0] == word


@pytest.mark.parametrize(
    ("before", "after", "ideal", "half", "word"),
    [triple for triple in TRIPLES if abs(triple[0] - triple[2]) > 0.02],
)
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
    """The most memorised: the retrained network knows 3 of 500, and fine-tuning left 8 to 13 from
    one seed or precision to the next. Below 11 that may be luck; the word does not hang on it."""
    ideal, mine = np.zeros(500, bool), np.zeros(500, bool)
    ideal[:3], mine[3 : 3 + known] = True, True
    away, paired = difference(share_of(mine), share_of(ideal))
    assert paired
    found = Signal("forget_accuracy", "answers", 0.952, known / 500, 0.006, away, 0.01, True)
    assert found.place == ("cannot tell" if known < 11 else "on the way")
    seen = signal(0.274, 0.038, 0.019, 0.004)
    inside = signal(0.037, -0.832, -0.885, 0.022, kind="inside")
    assert decide([found, seen, inside])[0] == "partly forgotten"


def test_where_there_was_no_way_a_high_number_knows_more() -> None:
    """Before and ideal are alike, so that the side on which luck put them decides nothing."""
    outside = signal(1.0, 0.0, 0.0, 0.0, "answers"), signal(0.6, 0.5, 0.5)
    for before in (0.0, 0.01, 0.02):
        worse, leaking = (signal(before, x, 0.01, kind="inside") for x in (-0.10, 0.12))
        assert decide([*outside, worse])[0] == "forgotten too much"
        assert decide([*outside, leaking])[0] == "only silenced"


def test_silenced_is_what_only_the_inside_betrays() -> None:
    gone, kept = signal(1.0, 0.0, 0.0, 0.0, "answers"), signal(0.10, 0.10, -0.03, kind="inside")
    halfway, unsure = signal(0.10, 0.02, -0.03, kind="inside"), signal(0.6, 0.51, 0.5, 0.05)
    outputs = signal(0.6, 0.5, 0.5)
    assert decide([gone, outputs, kept]) == ("only silenced", pytest.approx(2 / 3), "margin_auc")
    assert decide([gone, outputs, halfway])[0] == "only silenced"
    # Where a spy of the outputs still sees it, or cannot tell, it is not silence that was reached.
    assert decide([gone, signal(0.6, 0.57, 0.5), kept])[0] == "not forgotten"
    assert decide([gone, unsure, halfway])[0] == "partly forgotten"
    # Features that became worse for everything are not a difference of the excess.
    assert decide([gone, outputs, signal(0.10, -0.03, -0.03, kind="inside")])[0] == "forgotten"
    assert decide([kept])[0] == "not forgotten"


def test_one_more_spy_of_a_kind_does_not_weigh_more() -> None:
    answers, spy = signal(1.0, 0.0, 0.0, 0.0, "answers"), signal(0.6, 0.6, 0.5)
    assert decide([answers, spy])[1] == decide([answers, spy, spy, spy])[1] == 0.5


def test_all_signals_count() -> None:
    gone, left = signal(1.0, 0.0, 0.0, 0.0, "answers"), signal(0.6, 0.57, 0.5)
    beyond, unsure = signal(0.6, 0.4, 0.5), signal(0.6, 0.51, 0.5, 0.05)
    assert decide([gone, left])[0] == "partly forgotten"
    assert decide([gone, left])[1] == pytest.approx((1 + 0.3) / 2)
    assert decide([gone, beyond])[0] == "forgotten too much"
    assert decide([gone, unsure])[0] == "cannot tell"
    assert decide([left, beyond])[0] == "partly forgotten"
    assert decide([beyond, unsure])[0] == "forgotten too much"
    assert decide([gone]) == ("forgotten", 1.0, "")


# What the signals are made of


def test_paired_and_unpaired_differences_by_hand() -> None:
    first = np.array([1, 1, 1, 0, 0, 1, 1, 1, 1, 1], bool)
    second = np.array([1, 1, 0, 0, 1, 1, 1, 1, 1, 0], bool)
    found, paired = difference(share_of(first), share_of(second))
    assert paired
    assert found.value == pytest.approx(0.1)
    # Agresti and Min: 2.5 for, 1.5 against of twelve.
    half = 1.96 * math.sqrt(4 - 1 / 12) / 12
    assert found.high - found.value == pytest.approx(half, abs=1e-4)
    # A dozen images on which both agree prove little, 5,000 much.
    for n, width in ((12, 0.14), (5000, 0.0004)):
        agreed = share_of(np.ones(n, bool))
        assert difference(agreed, agreed)[0].high == pytest.approx(width, abs=1e-3)
    # Newcombe 1998, table II (a): 56/70 - 48/80 = .2, .0524 to .3339.
    wide, paired = difference(wilson(56, 70), wilson(48, 80))
    assert not paired
    assert (wide.value, wide.low, wide.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)


def test_an_auc_is_compared_pair_by_pair() -> None:
    """Of the same images in another order of difficulty: nearer than two draws of images would be,
    and no width where the order is the same."""
    draw = np.random.default_rng(3)
    members, others = draw.normal(0.3, 1, 400), draw.normal(0, 1, 600)
    once = auc(members, others)
    again = auc(2 * members + 1, 2 * others + 1)
    nearly = auc(members + draw.normal(0, 0.2, 400), others + draw.normal(0, 0.2, 600))
    assert once is not None
    assert again is not None
    assert nearly is not None
    same, paired = difference(once, again)
    assert (same.value, same.low, same.high, paired) == (0, 0, 0, True)
    near, _ = difference(once, nearly)
    assert 0 < near.high - near.low < (once.high - once.low) / 2


# Models


LABELS = np.arange(4000) % 10
PARTS = Split(*np.split(np.arange(4000), [1000]), np.arange(2000), np.arange(1000), np.arange(2000))


def model(
    seed: int, forget: float, test: float, loss: float = 1.0, inside: float = 0.0
) -> Evaluation:
    """Right on shares of the forget and the test images, all retained; its losses are of one
    distribution, those of the forget images times `loss`. Images that are hard stay hard. A fresh
    read-out knows 85 % of the test images and by `inside` more of the forgotten."""
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
    found = evaluate(*made, LABELS, LABELS[:2000], PARTS)
    known = [
        (np.argsort(np.argsort(h)) < round(len(h) * share)).astype(np.float32)
        for h, share in ((hard[0][:1000], 0.85 + inside), (hard[1], 0.85))
    ]
    more = {
        "margin_auc": auc(-found.forget_losses.astype(float), -found.test_losses.astype(float)),
        "re_head": of_images(known[0], -known[1], low=-1.0),
    }
    return dataclasses.replace(found, measures={**found.measures, **more})


BEFORE, IDEAL = model(1, 1.0, 0.88, 0.3, 0.1), model(2, 0.88, 0.88)


def test_a_second_retraining_is_forgotten_and_undamaged() -> None:
    found = judge(BEFORE, model(3, 0.88, 0.88), IDEAL)
    assert found is not None
    assert (found.word, found.damaged, found.betrayed_by) == ("forgotten", (), "")
    assert all(s.paired for s in found.signals)
    assert [s.name for s in found.signals] == [
        "forget_accuracy", "margin_auc", "re_head", "retain_accuracy", "retained_test_accuracy",
    ]  # fmt: skip


def test_nothing_done_half_done_and_overdone() -> None:
    for after, word, by in (
        (BEFORE, "not forgotten", "forget_accuracy"),
        (model(3, 0.89, 0.88, 0.7), "partly forgotten", "margin_auc"),
        (model(3, 0.88, 0.88, inside=0.09), "only silenced", "re_head"),
        (model(3, 0.93, 0.88), "partly forgotten", "forget_accuracy"),
        (model(3, 0.88, 0.88, 2.0), "forgotten too much", "margin_auc"),
        (model(3, 0.50, 0.88), "forgotten too much", "forget_accuracy"),
    ):
        found = judge(BEFORE, after, IDEAL)
        assert found is not None
        assert (found.word, found.betrayed_by) == (word, by)


def test_damage_stands_beside_any_word() -> None:
    found = judge(BEFORE, model(3, 0.88, 0.84), IDEAL)
    assert found is not None
    assert (found.word, found.damaged) == ("forgotten", ("retained_test_accuracy",))
    better = judge(BEFORE, model(3, 0.88, 0.95), IDEAL)
    assert better is not None
    assert better.damaged == ()


@pytest.mark.parametrize(
    ("unknown", "kind"),
    [("re_head", "inside"), ("margin_auc", "outputs"), ("forget_accuracy", "answers")],
)
def test_nobody_has_forgotten_who_was_not_asked_in_every_way(unknown: str, kind: str) -> None:
    after = model(3, 0.88, 0.88)
    bare = dataclasses.replace(after, measures={**after.measures, unknown: None})
    found = judge(BEFORE, bare, IDEAL)
    assert found is not None
    assert (found.word, found.missing, found.betrayed_by) == ("cannot tell", (kind,), "")
    assert found.to_dict()["missing"] == [kind]
    told = judge(BEFORE, BEFORE, dataclasses.replace(IDEAL, measures=bare.measures))
    assert told is not None
    assert told.word == "not forgotten"  # what was seen is enough to say that


def test_runs_without_images_of_their_own_are_compared_unpaired() -> None:
    full = model(3, 0.88, 0.88)
    bare = {
        name: measure and dataclasses.replace(measure, each=())
        for name, measure in full.measures.items()
    }
    old = dataclasses.replace(full, measures=bare)
    found = judge(BEFORE, old, IDEAL)
    assert found is not None
    forget = found.signal("forget_accuracy")
    assert forget is not None
    assert not forget.paired
    assert forget.difference.low < -0.02 < 0.02 < forget.difference.high
    assert found.word == "cannot tell"


def test_the_spread_of_retrainings_widens_the_margin() -> None:
    after = model(3, 0.90, 0.88)
    assert judge(BEFORE, after, IDEAL).word == "partly forgotten"  # type: ignore[union-attr]
    spread = {"forget_accuracy": 0.0125}
    assert judge(BEFORE, after, IDEAL, spread).word == "forgotten"  # type: ignore[union-attr]


def test_a_verdict_is_read_again_from_its_signals() -> None:
    """What a log keeps of it is enough, should the rule change."""
    found = judge(BEFORE, model(3, 0.90, 0.85), IDEAL)
    assert found is not None
    kept = json.loads(json.dumps(found.to_dict()))
    assert verdict_on([Signal.from_dict(fields) for fields in kept["signals"]]) == found
    kept["signals"][0]["place"] = "beyond"
    assert verdict_on([Signal.from_dict(fields) for fields in kept["signals"]]) == found


def test_the_spread_is_that_of_the_kind_of_forget_set(tmp_path: Path) -> None:
    assert retraining_spread("compact", "cifar10", True, tmp_path) == {}
    file = tmp_path / "spread.json"
    deviations = {"scattered": {"margin_auc": 0.002}, "classes": {"re_head": 0.015}}
    file.write_text(json.dumps({"compact-cifar10": {"standard_deviations": deviations}}))
    assert retraining_spread("compact", "cifar10", True, tmp_path) == {"re_head": 0.015}
    assert retraining_spread("compact", "cifar10", False, tmp_path) == {"margin_auc": 0.002}
    assert retraining_spread("compact", "digits", False, tmp_path) == {}
    for damaged in ("{", "[]", '{"compact-cifar10": {"standard_deviations": {"scattered": 3}}}'):
        file.write_text(damaged)
        with pytest.raises(LabError, match="cannot be read"):
            retraining_spread("compact", "cifar10", False, tmp_path)


def test_what_ships_was_measured_of_both_kinds() -> None:
    """And of every signal: one whose luck nobody knows would have too narrow a margin."""
    for whole_classes in (True, False):
        found = retraining_spread("compact", "cifar10", whole_classes)
        assert {"forget_accuracy", "margin_auc", "re_head"} <= found.keys()
        assert all(0 <= value < 0.05 for value in found.values())


def test_without_an_ideal_there_is_no_verdict() -> None:
    assert judge(BEFORE, IDEAL, None) is None
    assert judge(BEFORE, None, IDEAL) is None


def test_a_handful_of_images_cannot_tell() -> None:
    few = Split(np.arange(5), np.arange(5, 4000), *dataclasses.astuple(PARTS)[2:])
    outcome = Outcome(np.ones(4000, np.float32), LABELS.astype(np.int64))
    unseen = Outcome(np.ones(2000, np.float32), LABELS[:2000].astype(np.int64))
    wrong = Outcome(np.full(4000, 5, np.float32), np.full(4000, 99))
    before = evaluate(outcome, unseen, LABELS, LABELS[:2000], few)
    after = evaluate(wrong, unseen, LABELS, LABELS[:2000], few)
    found = judge(before, after, after)
    assert found is not None
    assert found.word == "cannot tell"


def test_every_shipped_run_has_a_verdict_that_its_numbers_bear_out() -> None:
    for summary in shipped_runs():
        found = verdict_of(run_from_files("models_cache/runs", summary.id))
        assert found is not None
        assert found.word != "not forgotten"
        for s in found.signals:
            assert s.difference.value == pytest.approx(s.after - s.ideal)
