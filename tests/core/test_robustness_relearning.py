"""How fast what was forgotten comes back: nothing between a model and itself, and by hand."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest

from core.curvature.products import finish
from core.data.requests import ForgetRequest
from core.data.splits import split
from core.errors import BadRequest, BadSetting
from core.metrics.measures import share_of
from core.models.classifier import Classifier
from core.models.recipe import Recipe
from core.robustness import relearning as module
from core.robustness.relearning import FEW, Curve, Lesson, Relearned, relearn, relearning
from tests import tiny

pytestmark = pytest.mark.usefixtures("small_compact")

DATA = tiny.dataset()
PARTS = split(DATA, ForgetRequest.random(24))
RETAIN, FORGET = tiny.images(DATA, PARTS.retain), tiny.images(DATA, PARTS.forget)
BY_HEART = Recipe(epochs=12, clean_epochs=10, batch_size=16, learning_rate=0.1)
LESSON = Lesson(steps=6, every=2, learning_rate=0.02, batch_size=16)


@pytest.fixture(scope="module")
def models() -> tuple[Classifier, Classifier]:
    """One that knows the images by heart, and one that never saw them."""
    return (
        tiny.trained(tiny.images(DATA), BY_HEART).model,
        tiny.trained(RETAIN, BY_HEART, seed=1).model,
    )


def curve(*rights: list[int]) -> Curve:
    return Curve(tuple(range(len(rights))), tuple(share_of(np.array(r, bool)) for r in rights))


def test_a_model_against_itself_is_0(models: tuple[Classifier, Classifier]) -> None:
    ideal = models[1]
    found = finish(relearning(ideal, copy.deepcopy(ideal), RETAIN, FORGET, LESSON))
    assert set(found) == {"retained", "few"}
    for result in found.values():
        assert result.ideal is not None
        assert result.after.to_dict() == result.ideal.to_dict()
        assert result.excess is not None
        assert result.excess.value == 0
        assert result.excess.low == -result.excess.high < 0  # of a dozen images
        assert result.excess.n == 24 - FEW


def test_of_two_retrained_models_nothing_comes_back(
    models: tuple[Classifier, Classifier],
) -> None:
    """The yardstick, held beside another one: both learn no more of what neither saw."""
    again = tiny.trained(RETAIN, BY_HEART, seed=2).model
    found = finish(relearning(again, models[1], RETAIN, FORGET, LESSON))["retained"].excess
    assert found is not None
    assert found.low < 0 < found.high


def test_no_more_images_are_judged_than_need_be(
    models: tuple[Classifier, Classifier], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 11)
    found = finish(relearning(models[0], None, RETAIN, FORGET, LESSON))
    assert {m.n for result in found.values() for m in result.after.accuracies} == {11}


def test_what_never_left_comes_back_faster_than_what_was_never_there(
    models: tuple[Classifier, Classifier],
) -> None:
    counts = []
    found = finish(relearning(*models, RETAIN, FORGET, LESSON), counts.append)
    assert counts == [(done, len(counts)) for done in range(1, len(counts) + 1)]
    for result in found.values():
        assert result.after.steps == (0, 2, 4, 6)
        assert [measure.n for measure in result.after.accuracies] == [24 - FEW] * 4
        assert result.after.accuracies[0].value > 0.7
        assert result.excess is not None
        assert 0 < result.excess.low <= result.excess.value <= result.excess.high <= 1


def test_the_area_by_hand() -> None:
    """Each point weighs the same, and the start nothing."""
    after = curve([1, 1, 1, 1], [0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1])
    ideal = curve([0, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0], [1, 1, 0, 0])
    assert after.mean.value == pytest.approx(0.5)
    np.testing.assert_allclose(after.mean.each[0], [2 / 3, 2 / 3, 1 / 3, 1 / 3])
    found = Relearned(after, ideal)
    assert found.excess is not None
    assert found.excess.value == pytest.approx((0 + 1 / 4 + 2 / 4) / 3)
    assert Relearned(after, None).excess is None
    assert Relearned(after, None).to_dict()["excess"] is None


def test_training_on_images_teaches_them_and_leaves_the_model(
    models: tuple[Classifier, Classifier],
) -> None:
    ideal = copy.deepcopy(models[1]).requires_grad_(False)
    ideal.blocks[0].train()
    kept, modes = copy.deepcopy(ideal), [module.training for module in ideal.modules()]
    lesson = Lesson(steps=25, every=10, learning_rate=0.1, batch_size=8)
    first, again = (finish(relearn(ideal, RETAIN, FORGET, FORGET, lesson)) for _ in range(2))
    assert first.steps == (0, 10, 20, 25)
    assert first.to_dict() == again.to_dict()
    assert first.accuracies[-1].value > first.accuracies[0].value + 0.3
    assert tiny.same(ideal, kept)
    assert [module.training for module in ideal.modules()] == modes
    assert all(weight.grad is None and not weight.requires_grad for weight in ideal.parameters())


def test_it_can_be_closed_after_any_batch(models: tuple[Classifier, Classifier]) -> None:
    kept = copy.deepcopy(models[0])
    work = relearning(*models, RETAIN, FORGET, LESSON)
    for _ in range(5):
        next(work)
    work.close()
    assert tiny.same(models[0], kept)


def test_the_seed_decides_what_is_drawn(models: tuple[Classifier, Classifier]) -> None:
    results = [
        finish(relearning(models[0], None, RETAIN, FORGET, replace(LESSON, seed=seed)))
        for seed in (0, 0, 1)
    ]
    first, again, other = (
        [measure.each[0].tolist() for measure in result["few"].after.accuracies]
        for result in results
    )
    assert results[0]["few"].ideal is None
    assert first == again != other


def test_too_few_images_and_bad_settings_are_said(models: tuple[Classifier, Classifier]) -> None:
    few = tiny.images(DATA, PARTS.forget[:19])
    with pytest.raises(BadRequest, match="only 19 are forgotten"):
        finish(relearning(*models, RETAIN, few))
    for settings in ({"steps": 0}, {"every": 0}, {"batch_size": 0}):
        with pytest.raises(BadSetting, match=f"needs {next(iter(settings))} of at least 1"):
            Lesson(**settings)


def test_the_looks_end_with_the_last_step() -> None:
    assert Lesson(steps=5, every=2).looks == (0, 2, 4, 5)
    assert Lesson(steps=4, every=2).looks == (0, 2, 4)
    assert Lesson(steps=1, every=9).looks == (0, 1)
