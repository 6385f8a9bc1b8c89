"""One photo at a time, where it is known which one a network has learned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.runs.photos import ALARM, photos
from tests.app import fakes


def network(forget: np.ndarray, test: np.ndarray):
    """An evaluation with these logits of the label, of the photos to forget and of new ones."""
    losses = [np.log1p(np.exp(-x)).astype(np.float32) for x in (forget, test)]
    made = fakes.evaluation(n=len(forget))
    return replace(
        made, forget_losses=losses[0], test_losses=losses[1], class_matched_losses=losses[1][:3]
    )


@pytest.fixture
def run():
    """Three photos of different hardness: the first is still known as well as before, the second
    is as an unseen one, the third is less known than that; a fourth was easy all along."""
    draw = np.random.default_rng(0)
    hard = np.array([-2.0, -1.0, 0.0, 6.0])
    new = draw.normal(1, 2, 1000)
    return replace(
        fakes.run("few", n=4),
        before=network(hard + np.array([8.0, 8.0, 8.0, 0.2]), new + draw.normal(0, 1, 1000)),
        after=network(hard + np.array([8.0, 0.0, -8.0, 0.1]), new + draw.normal(0, 1, 1000)),
        retrained=network(hard, new),
    )


def test_each_photo_is_told_by_what_was_done_to_it(run) -> None:
    words = [photo.word for photo in photos(run)]
    assert words == ["still told", "no longer told", "stranger than new", "never told"]


def test_probabilities_are_those_of_the_losses(run) -> None:
    first = photos(run)[0]
    assert first.before == pytest.approx(1 / (1 + np.exp(-6.0)), rel=1e-5)
    assert first.ideal == pytest.approx(1 / (1 + np.exp(2.0)), rel=1e-5)
    assert [photo.position for photo in photos(run)] == [0, 1, 2, 3]


def test_one_new_photo_in_twenty_is_accused() -> None:
    """Photos that neither network has seen are told from new ones as rarely as was promised."""
    draw = np.random.default_rng(1)
    new, unseen = draw.normal(1, 2, 4000), draw.normal(1, 2, 4000)
    ideal = network(unseen, new)
    other = network(unseen + draw.normal(0, 1, 4000), new + draw.normal(0, 1, 4000))
    found = photos(replace(fakes.run(), before=other, after=other, retrained=ideal))
    told = np.mean([photo.word == "still told" for photo in found])
    assert abs(told - ALARM) < 0.015


def test_the_ideal_itself_is_neither_told_nor_strange(run) -> None:
    found = photos(replace(run, after=run.retrained))
    assert [photo.familiar for photo in found] == [pytest.approx(0.5, abs=0.01)] * 4


@pytest.mark.parametrize("missing", ["before", "after", "retrained"])
def test_nothing_is_said_where_a_network_is_not_known(run, missing: str) -> None:
    assert photos(replace(run, **{missing: None})) == []


def test_nothing_is_said_of_losses_of_other_images(run) -> None:
    assert photos(replace(run, retrained=fakes.evaluation(n=5))) == []
