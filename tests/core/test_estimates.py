"""What looks on the way say: the numbers of a probe, and of small samples those of all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.attacks.curve import auc
from core.runs.estimates import POOLED, evaluation_of, look, pooled, so_far
from core.runs.run import Probe, Snapshot
from tests.app import fakes


def sample(seed: int, forget_accuracy: float, useful: int = 10, n: int = 20) -> Probe:
    draw = np.random.default_rng(seed)
    margins = [draw.normal(mean, 1, n).astype(np.float32) for mean in (1, 0)]
    losses = [np.log1p(np.exp(-x)) for x in margins]
    return Probe(
        *losses, forget_accuracy, 0.5, None, False, useful, *margins,
        photo_losses=np.full(3, seed, np.float32), photo_predictions=np.full(3, seed),
    )  # fmt: skip


def at(step: int, **looked) -> Snapshot:
    return Snapshot(step, 40, "unlearning", step, 0.0, None, **looked)


def test_a_pool_is_all_its_images() -> None:
    parts = [sample(0, 1.0, useful=30), replace(sample(1, 0.4, useful=10), test_accuracy=0.9)]
    together = pooled(parts)
    assert together.forget_accuracy == pytest.approx(0.7)
    assert together.test_accuracy == pytest.approx(0.6)  # by the images behind each
    assert together.useful == 40
    np.testing.assert_array_equal(together.photo_predictions, [1, 1, 1])  # of the last
    found = evaluation_of(together)
    margins = [np.concatenate([getattr(p, n) for p in parts]).astype(float)
               for n in ("forget_margins", "test_margins")]  # fmt: skip
    assert found.value("margin_auc") == auc(*margins).value
    assert found["forget_accuracy"].n == 40


def test_the_latest_look_counts() -> None:
    """A probe where that came last, else the small samples of the last seconds."""
    probe = sample(9, 0.3)
    rolled = [at(step, rolling=sample(step, 1.0)) for step in range(1, POOLED + 3)]
    assert look([]) is None
    assert look([at(1)]) is None
    assert look([*rolled, at(20, probe=probe), at(21)]) is probe
    last = look([at(0, probe=probe), *rolled])
    assert len(last.forget_losses) == 20 * POOLED
    one = look([at(0, probe=probe), rolled[0]])
    np.testing.assert_array_equal(one.forget_losses, rolled[0].rolling.forget_losses)


def test_what_it_adds_up_to_leaves_the_inside_open() -> None:
    run = fakes.run()
    verdict = so_far(run.plan, run.before, run.retrained, sample(0, 0.99))
    assert verdict.missing == ("inside",)
    assert verdict.signal("forget_accuracy").after == pytest.approx(0.99)
    assert verdict.word != "forgotten"
    assert so_far(run.plan, run.before, None, sample(0, 0.99)) is None


def test_a_look_of_an_earlier_version_has_no_spy() -> None:
    old = replace(sample(0, 0.9), forget_margins=None, test_margins=None, useful=0)
    found = evaluation_of(pooled([replace(old, useful=20)]))
    assert found["margin_auc"] is None
    assert evaluation_of(old)["retained_test_accuracy"].n == 20
