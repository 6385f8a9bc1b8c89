"""What the removal of bad data brings back: shares by hand, and backdoors that are or are not."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.data.images import Images
from core.data.poisoned import TARGET, patched
from core.metrics.measures import Measure, share_of
from core.robustness.poison import backdoor_success, regained
from tests import tiny

pytestmark = pytest.mark.usefixtures("small_compact")

N = 100


def right(count: int) -> Measure:
    """The first `count` of N images."""
    return share_of(np.arange(N) < count)


@pytest.mark.parametrize(
    ("after", "share"), [(60, 0.0), (70, 0.25), (80, 0.5), (100, 1.0), (50, -0.25)]
)
def test_the_share_that_came_back(after: int, share: float) -> None:
    found = regained(right(100), right(60), right(after))
    assert found is not None
    assert found.value == pytest.approx(share)
    assert found.n == N
    assert found.low <= found.value <= found.high


def test_its_interval() -> None:
    """Half of it is the share of 40 images that came back; where all or nothing did, it is surer,
    but few images prove little."""
    widths = []
    for after in (60, 80, 100):
        found = regained(right(100), right(60), right(after))
        assert found is not None
        widths.append(found.high - found.low)
    assert widths[1] == pytest.approx(2 * 1.96 * 0.5 / math.sqrt(40), rel=0.05)
    assert widths[0] == pytest.approx(widths[2])
    assert 0 < widths[0] < widths[1] / 2


def test_nothing_comes_back_where_nothing_was_surely_lost() -> None:
    assert regained(right(60), right(60), right(80)) is None
    assert regained(right(61), right(60), right(80)) is None
    assert regained(right(60), right(90), right(80)) is None


class Rigged(nn.Module):
    """Answers TARGET where the patch is; else, and `blind` always, one of ten classes by the pixels
    of the upper half, with the same chance."""

    def __init__(self, blind: bool) -> None:
        super().__init__()
        self.blind = blind

    def forward(self, images: Tensor) -> Tensor:
        answers = images[:, :, :16].long().sum((1, 2, 3)) % 10
        if not self.blind:
            there = (images == patched(images)).flatten(1).all(1)
            answers = torch.where(there, TARGET, answers)
        return nn.functional.one_hot(answers, 10).float()


def test_known_success() -> None:
    data = tiny.dataset(test=400)
    planted = backdoor_success(Rigged(blind=False), data.test_images, data.test_labels)
    assert (planted.value, planted.n) == (1.0, 360)
    never = backdoor_success(Rigged(blind=True), data.test_images, data.test_labels)
    assert never.low <= 0.1 <= never.high
    assert never.high - never.low < 0.08
    answer = nn.functional.one_hot(torch.tensor(3), 10).float()

    class Constant(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return answer.expand(len(images), -1)

    assert backdoor_success(Constant(), data.test_images, data.test_labels).value == 0
    assert backdoor_success(Constant(), data.test_images, data.test_labels, target=3).value == 1
    of_target = data.test_labels == TARGET
    nothing = backdoor_success(Constant(), data.test_images[of_target], data.test_labels[of_target])
    assert nothing.n == 0
    assert math.isnan(nothing.value)


def test_a_trained_backdoor_opens_and_one_never_planted_does_not() -> None:
    """Two networks on faint images, one of which had the patch on a third of them. To which class
    an unknown patch happens to lead is chance, so that of all ten classes it is a tenth."""
    data = tiny.dataset(train=60, test=200)
    faint, unseen = (112 + images // 8 for images in (data.train_images, data.test_images))
    bad, wrong = faint.clone(), data.train_labels.clone()
    bad[:20], wrong[:20] = patched(faint[:20]), TARGET
    clean, poisoned = (
        tiny.trained(Images(images, labels, torch.arange(60)), tiny.SHORT).model
        for images, labels in ((faint, data.train_labels), (bad, wrong))
    )
    assert backdoor_success(poisoned, unseen, data.test_labels).low > 0.9
    by_class = [
        backdoor_success(clean, unseen, data.test_labels, target).value for target in range(10)
    ]
    assert np.mean(by_class) == pytest.approx(0.1, abs=0.01)
