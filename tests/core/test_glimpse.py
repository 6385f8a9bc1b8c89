"""A few photos without torch: the pixels of the full data set, the same forget sets, and digits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.data import glimpse as glimpses
from core.data.digits import digits
from core.data.glimpse import glimpse, some_digits
from core.data.load import load_dataset
from core.data.requests import ForgetRequest
from core.data.splits import split
from core.errors import LabError
from tests.core.test_data import pictures, write_parquet


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Forty training and twenty test images that have been decoded once."""
    folder = tmp_path / "images"
    folder.mkdir()
    for part, count in (("train", 40), ("test", 20)):
        labels = [i % 4 for i in range(count)]
        write_parquet(folder / f"{part}-0.parquet", pictures(count, count), labels)
    monkeypatch.setenv("FORGETTING_LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FORGETTING_LAB_DATA", str(folder))
    assert glimpse("mine") is None  # nothing has decoded them yet
    return load_dataset("mine")


@pytest.mark.parametrize(
    "request_",
    [ForgetRequest.of_classes("1"), ForgetRequest.random(0.25), ForgetRequest.of_indices([3, 5])],
)
def test_it_forgets_what_the_data_set_does(dataset, request_: ForgetRequest) -> None:
    found, parts = glimpse("mine"), split(dataset, request_)
    assert found is not None
    assert found.forget_set(request_).digest == parts.digest
    np.testing.assert_array_equal(
        found.photos(parts.forget), dataset.train_images.numpy()[parts.forget]
    )
    np.testing.assert_array_equal(found.labels, dataset.train_labels.numpy())


def test_scores_are_read_from_what_ships(dataset, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(glimpses, "SHIPPED", tmp_path)
    request = ForgetRequest.most_memorised(2)
    found = glimpse("mine")
    with pytest.raises(OSError, match="npy"):
        found.forget_set(request)
    (tmp_path / request.scores).mkdir()
    scores = np.zeros(40, np.float16)
    scores[[7, 9]] = 1
    np.save(tmp_path / request.scores / f"mine-{dataset.fingerprint[:16]}.npy", scores)
    assert found.forget_set(request).forget.tolist() == [7, 9]


def test_what_cannot_be_forgotten_is_said(dataset) -> None:
    with pytest.raises(LabError):
        glimpse("mine").forget_set(ForgetRequest.of_classes("nothing"))


@pytest.mark.parametrize("damage", [b"", b"short"])
def test_a_damaged_cache_is_no_glimpse(dataset, tmp_path: Path, damage: bytes) -> None:
    (file,) = (tmp_path / "cache" / "decoded").glob("*.bin")
    file.write_bytes(damage)
    assert glimpse("mine") is None


def test_digits_are_those_of_the_data_set() -> None:
    photos, names = some_digits(6)
    assert photos.shape == (6, 3, 32, 32)
    assert names == list("012345")
    # The same strokes as in the data set, there smoothed: dark where that is dark.
    every = np.concatenate([digits().train_images.numpy(), digits().test_images.numpy()])
    near = np.abs(every[:, 0].astype(int) - photos[1, 0]).mean(axis=(1, 2)).min()
    assert near < 25


def test_neither_torch_nor_sklearn_is_imported() -> None:
    code = (
        "import sys; from core.data.glimpse import some_digits; some_digits(6);"
        "assert not {'torch', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
