"""Each corruption against another implementation or arithmetic, and what is counted."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.fft import dctn, idctn
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from core.errors import BadRequest, Cancelled
from core.metrics.differences import difference, difference_of_shares
from core.robustness.corruptions import (
    CORRUPTIONS,
    STRONGEST,
    corrupted,
    corruption_accuracies,
    mean_corruption_accuracy,
)
from tests import tiny

DATA = tiny.dataset(test=24)
IMAGES, LABELS = DATA.test_images, DATA.test_labels
GREY = torch.full((40, 3, 32, 32), 128, dtype=torch.uint8)


def severities(name: str) -> list[tuple[int, float]]:
    return list(enumerate(CORRUPTIONS[name].severities, 1))


def away(first: Tensor, second: Tensor) -> Tensor:
    """How many levels each pixel differs."""
    return (first.double() - second.double()).abs()


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_strength_0_changes_nothing_and_more_changes_more(name: str) -> None:
    kept = IMAGES.clone()
    made = [corrupted(IMAGES, name, strength) for strength in range(STRONGEST + 1)]
    assert torch.equal(made[0], IMAGES)
    assert torch.equal(IMAGES, kept)
    assert {(image.dtype, image.shape) for image in made} == {(torch.uint8, IMAGES.shape)}
    changes = [float(away(image, IMAGES).mean()) for image in made]
    assert changes == sorted(changes)
    assert changes[1] > 0
    assert changes[-1] > changes[1]


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_same_seed_gives_the_same_pixels(name: str) -> None:
    one, again, other = (corrupted(IMAGES, name, 3, seed) for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert torch.equal(one, other) == (name != "gaussian_noise")


def test_the_noise_is_of_the_said_size_and_the_same_at_every_strength() -> None:
    found = [corrupted(GREY, "gaussian_noise", k).double() - 128 for k, _ in severities("jpeg")]
    for noise, (_, deviation) in zip(found, severities("gaussian_noise"), strict=True):
        assert float(noise.mean()) == pytest.approx(0, abs=0.3)
        assert float(noise.std()) == pytest.approx(255 * deviation, rel=0.01)
    together = torch.stack([noise.flatten() for noise in found])
    assert together.corrcoef().min() > 0.99


@pytest.mark.parametrize(("strength", "sigma"), severities("gaussian_blur"))
def test_blur_is_scipys(strength: int, sigma: float) -> None:
    pixels = IMAGES.numpy().astype(np.float64)
    expected = gaussian_filter(pixels, (0, 0, sigma, sigma), mode="nearest", truncate=4)
    assert away(corrupted(IMAGES, "gaussian_blur", strength), torch.tensor(expected)).max() < 0.51


@pytest.mark.parametrize(("strength", "share"), severities("contrast"))
def test_contrast_draws_each_pixel_to_the_mean_of_its_channel(strength: int, share: float) -> None:
    pixels = IMAGES.double()
    mean = pixels.mean((2, 3), keepdim=True)
    expected = mean + share * (pixels - mean)
    assert away(corrupted(IMAGES, "contrast", strength), expected).max() < 0.51


def test_brightness_raises_the_value_of_hsv() -> None:
    pixels = torch.tensor([[0, 0, 0], [255, 255, 255], [200, 10, 30], [1, 2, 3], [90, 90, 90]])
    image = pixels.to(torch.uint8).T[None, :, None]
    for strength, more in severities("brightness"):
        found = corrupted(image, "brightness", strength)[0, :, 0].T
        for before, after in zip(pixels.tolist(), found.tolist(), strict=True):
            hue, saturation, value = colorsys.rgb_to_hsv(*(level / 255 for level in before))
            expected = colorsys.hsv_to_rgb(hue, saturation, min(1, value + more))
            assert after == pytest.approx([255 * level for level in expected], abs=0.51)


@pytest.mark.parametrize(("strength", "share"), severities("pixelation"))
def test_pixelation_is_pillows_box_down_and_up(strength: int, share: float) -> None:
    for image, found in zip(IMAGES[:4], corrupted(IMAGES[:4], "pixelation", strength), strict=True):
        picture = Image.fromarray(image.permute(1, 2, 0).numpy())
        small = picture.resize((int(32 * share),) * 2, Image.Resampling.BOX)
        expected = torch.tensor(np.asarray(small.resize((32, 32), Image.Resampling.BOX)))
        assert away(found, expected.permute(2, 0, 1)).max() <= 1  # which rounds more often


def test_pixelating_again_changes_nothing() -> None:
    once = corrupted(IMAGES, "pixelation", 5)
    assert torch.equal(corrupted(once, "pixelation", 5), once)


LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
"""The quantisation of the standard's Annex K, which is quality 50."""


@pytest.mark.parametrize(("strength", "quality"), severities("jpeg"))
def test_jpeg_of_grey_is_the_standards_arithmetic(strength: int, quality: float) -> None:
    """Of each 8 x 8 block the cosine transform, rounded to multiples of the table."""
    grey = corrupted(IMAGES[:4, :1], "gaussian_blur", 5)
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    steps = np.clip((LUMINANCE * scale + 50) // 100, 1, 255)
    blocks = grey.numpy().astype(np.float64).reshape(4, 4, 8, 4, 8) - 128
    rounded = np.round(dctn(blocks, axes=(2, 4), norm="ortho") / steps[:, None]) * steps[:, None]
    expected = np.clip(idctn(rounded, axes=(2, 4), norm="ortho") + 128, 0, 255)
    found = corrupted(grey.expand(-1, 3, -1, -1), "jpeg", strength)
    assert away(found, torch.tensor(expected).reshape(4, 1, 32, 32)).mean() < 0.5
    assert away(found, grey).mean() > 1


def test_what_there_is_not_is_said() -> None:
    with pytest.raises(BadRequest, match="no corruption 'fog'"):
        corrupted(IMAGES, "fog", 1)
    for strength in (-1, 6):
        with pytest.raises(BadRequest, match=f"strengths 0 to 5, not {strength}"):
            corrupted(IMAGES, "jpeg", strength)


class Bright(nn.Module):
    """Says 1 where an image is brighter than grey on the whole, else 0."""

    def forward(self, images: Tensor) -> Tensor:
        brightness = images.float().mean((1, 2, 3)) - 128
        return torch.stack([-brightness, brightness], 1)


def test_known_accuracies() -> None:
    """Dark images and bright ones: no contrast makes a mistake, brightness makes each dark one
    bright as soon as it adds more than what is missing to grey, 255 * .12."""
    levels = torch.tensor([98] * 6 + [200] * 2)
    images = levels[:, None, None, None].expand(-1, 3, 32, 32).to(torch.uint8)
    labels = (levels > 128).long()
    model, batches = Bright().train(), []
    grid = corruption_accuracies(
        model, images, labels, ("contrast", "brightness"), after_batch=lambda: batches.append(1)
    )
    assert len(batches) == 1 + 2 * STRONGEST
    assert model.training
    assert [measure.value for measure in grid["contrast"]] == [1] * 6
    assert [measure.value for measure in grid["brightness"]] == [1, 1, 1, 0.25, 0.25, 0.25]
    for row in grid.values():
        assert {measure.n for measure in row} == {8}
        assert all(measure.low <= measure.value <= measure.high for measure in row)
    mean = mean_corruption_accuracy(grid)
    assert mean.value == pytest.approx((5 + 2 + 3 * 0.25) / 10)
    assert mean.n == 8  # the images, not the corrupted copies
    np.testing.assert_allclose(mean.each[0], [0.7] * 6 + [1] * 2)


def test_two_models_are_compared_image_by_image() -> None:
    """The same accuracy is 0 apart, but not for sure: few images prove little."""
    grid = corruption_accuracies(Bright(), IMAGES, LABELS % 2, ("jpeg",))
    mean = mean_corruption_accuracy(grid)
    same = difference_of_shares(mean, mean)
    assert same.value == 0 == same.low + same.high
    assert 0 < same.high < 0.1
    clean = difference_of_shares(grid["jpeg"][0], mean)
    assert clean.n == 24
    assert clean.value == pytest.approx(grid["jpeg"][0].value - mean.value)
    one = difference_of_shares(grid["jpeg"][0], grid["jpeg"][5])
    assert one == difference(grid["jpeg"][0], grid["jpeg"][5])[0]


def test_it_can_be_cancelled() -> None:
    def stop() -> None:
        raise Cancelled("Enough.")

    with pytest.raises(Cancelled):
        corruption_accuracies(Bright(), IMAGES, LABELS % 2, after_batch=stop)
