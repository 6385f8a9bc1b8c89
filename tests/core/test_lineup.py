"""The line-up that is read back from an AUC, against the scores that the AUC was made of."""

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from core.attacks.curve import auc
from core.attacks.lineup import Lineup, lineup


def scores(seed: int, ties: bool) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    found = draw.normal(0.4, 1, 300), draw.normal(0, 1, 700)
    return tuple(side.round(1) for side in found) if ties else found


def read(members: np.ndarray, others: np.ndarray) -> Lineup:
    found = lineup(auc(members, others))
    assert found is not None
    return found


@pytest.mark.parametrize("ties", [False, True])
def test_the_roc_curve_is_that_of_the_scores(ties: bool) -> None:
    members, others = scores(0, ties)
    truth = np.repeat([1, 0], [len(members), len(others)])
    wrongly, found, _ = roc_curve(truth, np.concatenate([members, others]))
    ours = read(members, others).curve()
    steps = np.diff(wrongly), np.diff(found)
    turns = steps[0][:-1] * steps[1][1:] != steps[0][1:] * steps[1][:-1]
    for x, y in zip(wrongly[1:-1][turns], found[1:-1][turns], strict=True):
        assert np.hypot(ours[0] - x, ours[1] - y).min() < 1e-6
    assert np.trapezoid(ours[1], ours[0]) == pytest.approx(auc(members, others).value, abs=1e-6)
    assert (ours[0][-1], ours[1][-1]) == (1, 1)


def test_places_and_order_are_those_of_the_scores() -> None:
    members, others = scores(1, ties=False)
    found = read(members, others)
    below = (others[None] < members[:, None]).mean(axis=1)
    assert found.members == pytest.approx(below)
    wins = members[:, None] > others[None]
    assert ((found.members[:, None] > found.others[None]) == wins).all()


def test_a_threshold_accuses_whoever_lies_above_it() -> None:
    members, others = np.arange(20.0) + 0.5, np.arange(0.0, 40.0, 2.0)
    accused = read(members, others).accuse(0.4)  # more familiar than 8 of 20: a score above 15
    assert (accused.found, accused.wrongly) == (0.2, 0.6)
    assert accused.right == pytest.approx(0.3)
    assert set(accused.members) == {16, 17, 18, 19}
    assert set(accused.others) == set(range(8, 20))
    assert accused.others[0] >= 10 > accused.others[-1]  # the most familiar first
    assert list(read(members, others).among_members(np.array([0, 8, 19]))) == [0, 0.8, 1]
    everybody = read(members, others).accuse(-1)
    assert (everybody.found, everybody.wrongly, everybody.right) == (1, 1, 0.5)


def test_where_no_member_lies_between_all_thresholds_are_still_there() -> None:
    found = read(np.full(30, 9.0) + np.arange(30), np.arange(100.0) / 50)
    assert found.accuse(0.95).wrongly == 0.05
    assert found.accuse(0.95).found == 1


def test_there_is_none_without_what_each_image_adds() -> None:
    assert lineup(None) is None
    assert lineup(auc(np.zeros(9), np.zeros(9))) is None
    found = auc(*scores(2, ties=False))
    assert lineup(type(found)(found.value, found.low, found.high, found.n)) is None
