"""FGSM where it is the exact worst case, PGD within its bounds, and nothing left behind."""

from __future__ import annotations

import copy
import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import BadSetting, Cancelled
from core.evaluation import per_image
from core.models.classifier import Classifier
from core.robustness.adversarial import adversarial_accuracy, fgsm, pgd
from tests import tiny

pytestmark = pytest.mark.usefixtures("small_compact")

DATA = tiny.dataset(test=10)
IMAGES, LABELS = DATA.train_images[:16], DATA.train_labels[:16]
EPS = 8 / 255


class Linear(Classifier):
    """Two classes, whose logits are w x and -w x, x in levels."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.w = nn.Parameter(weights)

    def forward(self, images: Tensor) -> Tensor:
        score = images.float().flatten(1) @ self.w
        return torch.stack([score, -score], 1)


@pytest.fixture(scope="module")
def network() -> Classifier:
    return tiny.trained(tiny.images(DATA), tiny.SHORT).model


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def loss(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    with torch.no_grad():
        return float(F.cross_entropy(model.eval()(images), labels))


def test_of_a_linear_model_fgsm_is_the_exact_worst_case() -> None:
    """Against every corner of the ball, cut to the range of pixels, in double precision."""
    draw = np.random.default_rng(0)
    weights = torch.from_numpy(draw.normal(size=6) / 100)
    images = torch.from_numpy(draw.integers(0, 256, (20, 3, 1, 2)))
    images[:5, 0] = torch.tensor([3, 252])  # the ball reaches out of the range
    labels = torch.from_numpy(draw.integers(0, 2, 20))
    found = fgsm(Linear(weights.float()), images.to(torch.uint8), labels, EPS)
    corners = torch.tensor(list(itertools.product((-8.0, 8.0), repeat=6)), dtype=torch.float64)
    for image, label, worst in zip(images.double(), labels, found.double(), strict=True):
        ball = (image.flatten() + corners).clamp(0, 255)
        sign = 1 - 2 * label.double()  # of the label's own logit
        losses = F.softplus(-2 * sign * (ball @ weights))
        own = F.softplus(-2 * sign * (worst.flatten() @ weights))
        assert float(own) == pytest.approx(float(losses.max()), rel=1e-6)


def test_known_accuracy_under_attack() -> None:
    """Logit +-sum(x - 128) over 12 pixels: an image at 128 + k withstands just what is less than
    k."""
    levels = torch.tensor([129, 130, 133, 137, 140, 90])
    images = levels[:, None, None, None].expand(-1, 3, 2, 2).to(torch.uint8)
    labels = torch.zeros(6, dtype=torch.int64)  # the last is wrong as it is

    class Centred(Linear):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images.float() - 128)

    model = Centred(torch.full((12,), 0.01))
    for eps, right in ((0, 5), (0.5, 5), (1.5, 4), (8, 2), (20, 0)):
        for attack in ("fgsm", "pgd"):
            found = adversarial_accuracy(model, images, labels, eps / 255, attack)
            assert (found.value, found.n) == (right / 6, 6)
            assert found.low <= found.value <= found.high


def test_pgd_stays_in_the_ball_and_in_the_range(network: Classifier) -> None:
    images = IMAGES.clone()
    images[0], images[1] = 0, 255
    for options in ({"steps": 5}, {"step": 50 / 255, "steps": 2}, {"steps": 1}):
        moved = pgd(network, images, LABELS, EPS, generator(), **options)
        assert moved.dtype == torch.float32
        assert (moved - images).abs().max() <= 8 + 1e-4
        assert moved.min() >= 0
        assert moved.max() <= 255
        assert not torch.equal(moved, images.float())


@pytest.mark.parametrize("levels", [1, 3, 8])
def test_pgd_finds_no_less_than_fgsm(network: Classifier, levels: int) -> None:
    eps = levels / 255
    clean = loss(network, IMAGES, LABELS)
    one = loss(network, fgsm(network, IMAGES, LABELS, eps), LABELS)
    many = loss(network, pgd(network, IMAGES, LABELS, eps, generator()), LABELS)
    assert clean < one <= many
    withstood = [
        adversarial_accuracy(network, IMAGES, LABELS, eps, attack).value
        for attack in ("fgsm", "pgd")
    ]
    assert withstood[0] >= withstood[1]


def test_the_seed_decides_the_start(network: Classifier) -> None:
    first, again, other = (
        pgd(network, IMAGES, LABELS, EPS, generator(seed), steps=3) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_eps_0_changes_nothing(network: Classifier) -> None:
    assert torch.equal(fgsm(network, IMAGES, LABELS, 0), IMAGES.float())
    assert torch.equal(pgd(network, IMAGES, LABELS, 0, generator(), 2), IMAGES.float())
    right = per_image(network, IMAGES, LABELS).predictions == LABELS.numpy()
    for attack in ("fgsm", "pgd"):
        found = adversarial_accuracy(network, IMAGES, LABELS, 0, attack, steps=2)
        np.testing.assert_array_equal(found.each[0], right)


def test_no_image_is_right_under_attack_that_is_wrong_without(network: Classifier) -> None:
    clean, *attacked = (
        adversarial_accuracy(network, IMAGES, LABELS, k / 255, steps=3).each[0] for k in (0, 2, 30)
    )
    assert clean.any()
    assert not any((right & ~clean).any() for right in attacked)


def test_the_model_is_as_it_was(network: Classifier) -> None:
    model = copy.deepcopy(network).train()
    model.blocks[0].eval()
    modes = [module.training for module in model.modules()]
    for attack in ("fgsm", "pgd"):
        adversarial_accuracy(model, IMAGES, LABELS, EPS, attack, steps=2)
    pgd(model, IMAGES, LABELS, EPS, generator(), steps=1)
    assert [module.training for module in model.modules()] == modes
    assert all(weight.grad is None for weight in model.parameters())
    assert tiny.same(model, network)


def test_it_is_in_float32_whatever_training_is(
    network: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for precision in ("float32", "bfloat16"):
        monkeypatch.setenv("FORGETTING_LAB_PRECISION", precision)
        found.append(pgd(network, IMAGES, LABELS, EPS, generator(), steps=2))
    assert torch.equal(*found)


def test_bad_settings_are_said_and_it_can_be_cancelled(network: Classifier) -> None:
    for eps in (-0.1, 8, float("nan")):
        with pytest.raises(BadSetting, match="Give 0 to 1"):
            adversarial_accuracy(network, IMAGES, LABELS, eps)
    with pytest.raises(BadSetting, match="no attack 'cw'"):
        adversarial_accuracy(network, IMAGES, LABELS, EPS, "cw")  # type: ignore[arg-type]
    with pytest.raises(BadSetting, match="at least one step"):
        pgd(network, IMAGES, LABELS, EPS, generator(), steps=0)

    def stop() -> None:
        raise Cancelled("Enough.")

    with pytest.raises(Cancelled):
        adversarial_accuracy(network, IMAGES, LABELS, EPS, "fgsm", after_batch=stop)
    nothing = adversarial_accuracy(network, IMAGES[:0], LABELS[:0], EPS)
    assert nothing.n == 0
