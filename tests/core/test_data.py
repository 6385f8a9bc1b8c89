"""Every layout, the decoded cache, and what a person reads when the data is not as it should be."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from core.data import decoded, sources
from core.data.load import load_dataset
from core.data.names import CIFAR10_CLASSES
from core.data.requests import ForgetRequest
from core.data.sources import available
from core.data.splits import split
from core.errors import BadRequest, DataCorrupt, DataMissing


def pictures(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels.transpose(1, 2, 0)).save(out, "PNG")
    return out.getvalue()


def write_parquet(file: Path, pixels: np.ndarray, labels: list, rows: int = 7) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    images = [{"bytes": png(p), "path": f"{i}.png"} for i, p in enumerate(pixels)]
    pq.write_table(pa.table({"img": images, "label": labels}), file, row_group_size=rows)


def write_torchvision(folder: Path, protocol: int = 2) -> tuple[np.ndarray, list[int]]:
    folder.mkdir(parents=True)
    train = pictures(20, 0)
    labels = [i % 10 for i in range(20)]
    for i in range(5):
        part = slice(4 * i, 4 * i + 4)
        batch = {
            b"batch_label": b"training batch",
            b"labels": labels[part],
            b"data": train[part].reshape(4, -1),
            b"filenames": [b"labels.png", b"x.png"],
        }
        (folder / f"data_batch_{i + 1}").write_bytes(pickle.dumps(batch, protocol))
    test = {b"data": pictures(3, 1).reshape(3, -1), b"labels": [9, 1, 0]}
    (folder / "test_batch").write_bytes(pickle.dumps(test, protocol))
    return train, labels


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    folder = tmp_path / "named"
    write_parquet(folder / "train-00000-of-00001.parquet", pictures(20, 0), [*range(10)] * 2)
    write_parquet(folder / "test-00000-of-00001.parquet", pictures(6, 1), [5, 4, 3, 2, 1, 0])
    return folder


def decoded_files(cache: Path) -> list[Path]:
    folder = cache / "decoded"
    return [f for f in folder.iterdir() if f.suffix != ".lock"] if folder.exists() else []


# The sources


def test_parquet_keeps_every_pixel_and_the_order(parquet: Path, cache: Path) -> None:
    found = load_dataset("cifar10", parquet, cache)
    assert found.train_images.dtype == torch.uint8
    assert found.train_images.is_contiguous()
    assert found.test_labels.dtype == torch.int64
    np.testing.assert_array_equal(found.train_images.numpy(), pictures(20, 0))
    np.testing.assert_array_equal(found.test_images.numpy(), pictures(6, 1))
    assert found.train_labels.tolist() == [*range(10)] * 2
    assert found.test_labels.tolist() == [5, 4, 3, 2, 1, 0]
    assert found.class_names == CIFAR10_CLASSES
    assert found.source == "CIFAR-10 images: 20 training and 6 test images."
    assert found.index_order == ""
    parts = (found.train_images, found.train_labels, found.test_images, found.test_labels)
    whole = b"".join(part.numpy().tobytes() for part in parts)
    assert found.fingerprint == hashlib.sha256(whole).hexdigest()


@pytest.mark.parametrize("below", ["plain_text", "cifar10", "cifar10/plain_text"])
def test_the_folder_may_be_a_parent(parquet: Path, cache: Path, below: str, tmp_path: Path) -> None:
    parent = tmp_path / "parent"
    (parent / below).parent.mkdir(parents=True)
    parquet.rename(parent / below)
    assert available("cifar10", parent, cache)
    assert len(load_dataset("cifar10", parent, cache).train_labels) == 20


def test_parquet_in_several_files(parquet: Path, cache: Path) -> None:
    write_parquet(parquet / "train-00001-of-00002.parquet", pictures(5, 2), [1] * 5)
    found = load_dataset("cifar10", parquet, cache)
    np.testing.assert_array_equal(found.train_images[20:].numpy(), pictures(5, 2))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_torchvision_batches(tmp_path: Path, cache: Path, protocol: int) -> None:
    train, labels = write_torchvision(tmp_path / "cifar-10-batches-py", protocol)
    found = load_dataset("cifar10", tmp_path, cache)
    np.testing.assert_array_equal(found.train_images.numpy(), train)
    assert found.train_labels.tolist() == labels
    assert found.test_labels.tolist() == [9, 1, 0]
    assert "original" not in found.source


def test_torchvision_batches_as_python_2_wrote_them(tmp_path: Path, cache: Path) -> None:
    """The official files hold plain Python 2 strings, which no Python 3 pickler writes."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    write_torchvision(tmp_path / "batches")
    pixels = pictures(2, 5)
    (tmp_path / "batches" / "test_batch").write_bytes(
        b"\x80\x02}q\x01(" + text(b"batch_label") + b"q\x02" + text(b"testing batch 1 of 1")
        + text(b"labels") + b"]q\x03(K\x03K\x08e"
        + text(b"data") + b"cnumpy.core.multiarray\n_reconstruct\nq\x04cnumpy\nndarray\nK\x00\x85"
        + text(b"b") + b"\x87R(K\x01K\x02M\x00\x0c\x86cnumpy\ndtype\n" + text(b"u1")
        + b"K\x00K\x01\x87R\x89T" + (6144).to_bytes(4, "little") + pixels.tobytes() + b"tb"
        + text(b"filenames") + b"](" + text(b"data") + text(b"b.png") + b"eu."
    )  # fmt: skip
    found = load_dataset("cifar10", tmp_path / "batches", cache)
    np.testing.assert_array_equal(found.test_images.numpy(), pixels)
    assert found.test_labels.tolist() == [3, 8]


def test_a_hostile_batch_is_never_run(tmp_path: Path, cache: Path) -> None:
    write_torchvision(tmp_path / "batches")
    mark = tmp_path / "mark"

    class Hostile:
        def __reduce__(self):
            return os.system, (f"touch {mark}",)

    (tmp_path / "batches" / "data_batch_3").write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(DataCorrupt, match="data_batch_3"):
        load_dataset("cifar10", tmp_path / "batches", cache)
    assert not mark.exists()
    assert decoded_files(cache) == []


def image_folder(folder: Path) -> Path:
    for half, count in (("train", 3), ("test", 1)):
        for k, kind in enumerate(("heron", "stork")):
            for i in range(count):
                file = folder / half / kind / f"{i}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.new("L", (50, 40), 100 * k + i).save(file)
    (folder / "train" / "heron" / ".DS_Store").write_bytes(b"x")
    return folder


def test_an_image_folder(tmp_path: Path, cache: Path) -> None:
    found = load_dataset("birds", image_folder(tmp_path / "mine"), cache)
    assert found.name == "birds"
    assert found.class_names == ("heron", "stork")
    assert found.train_images.shape == (6, 3, 32, 32)
    assert found.train_images[:, 0, 0, 0].tolist() == [0, 1, 2, 100, 101, 102]
    assert found.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    with pytest.raises(DataCorrupt, match="ten classes"):
        load_dataset("cifar10", tmp_path / "mine", cache)


def test_the_environment_names_the_folder(
    parquet: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not available("cifar10", cache=cache)
    monkeypatch.setenv("FORGETTING_LAB_DATA", str(parquet))
    assert available("cifar10", cache=cache)
    assert len(load_dataset("cifar10", cache=cache).train_labels) == 20


def test_the_source_names_no_folder(parquet: Path, cache: Path, tmp_path: Path) -> None:
    """Runs are shared, and carry it."""
    for name, folder in (("cifar10", parquet), ("birds", image_folder(tmp_path / "mine"))):
        for _ in range(2):  # decoded, then read back
            assert str(tmp_path) not in load_dataset(name, folder, cache).source


def test_a_download_is_found_and_may_lose_its_files(parquet: Path, cache: Path) -> None:
    place = sources.downloads(cache, "cifar10")
    place.parent.mkdir(parents=True)
    parquet.rename(place)
    first = load_dataset("cifar10", cache=cache)
    for file in place.iterdir():
        file.unlink()
    assert available("cifar10", cache=cache)
    assert load_dataset("cifar10", cache=cache).fingerprint == first.fingerprint
    [images] = cache.glob("decoded/*.bin")
    images.write_bytes(images.read_bytes()[:-1])
    with pytest.raises(DataCorrupt, match=r"damaged.*gone\. Download"):
        load_dataset("cifar10", cache=cache)


# Digits


def test_digits() -> None:
    digits = load_dataset("digits")
    assert available("digits")
    assert digits.train_images.shape == (897, 3, 32, 32)
    assert digits.test_images.shape == (900, 3, 32, 32)
    assert digits.train_images.dtype == torch.uint8
    assert digits.wrong_labels is not None
    assert int(digits.wrong_labels.sum()) == 179
    assert "179 of the training labels (a fifth) are wrong on purpose" in digits.source
    assert min(digits.test_labels.bincount().tolist()) >= 85
    # The shipped digits models and runs belong to exactly these bytes.
    assert digits.fingerprint == (
        "b3471eff6fef2ca00a1acce1c5abc62aa602b869f798cd67bc2d3271fb94e9cd"
    )


def test_a_random_tenth_of_the_digits_is_not_just_the_wrong_ones() -> None:
    digits = load_dataset("digits")
    assert digits.wrong_labels is not None
    tenth = split(digits, ForgetRequest.random(0.1)).forget
    assert 0.1 < digits.wrong_labels.numpy()[tenth].mean() < 0.3


def test_exactly_the_marked_digits_are_wrong() -> None:
    from sklearn.datasets import load_digits

    digits = load_dataset("digits")
    loaded = load_digits()
    small = torch.from_numpy(loaded.images).float()[:, None] * (255 / 16)
    large = torch.nn.functional.interpolate(small, (32, 32), mode="bilinear").round().byte()
    true = {img.numpy().tobytes(): int(k) for img, k in zip(large, loaded.target, strict=True)}
    assert digits.wrong_labels is not None
    for images, labels, wrong in (
        (digits.train_images, digits.train_labels, digits.wrong_labels),
        (digits.test_images, digits.test_labels, torch.zeros(900, dtype=torch.bool)),
    ):
        right = torch.tensor([true[image[0].numpy().tobytes()] for image in images])
        assert torch.equal(labels != right, wrong)


# The decoded cache


def test_the_second_start_decodes_nothing(
    parquet: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load_dataset("cifar10", parquet, cache)
    monkeypatch.setattr("core.data.parquet.decode_images", None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = load_dataset("cifar10", parquet, cache)
    assert again.fingerprint == first.fingerprint
    assert torch.equal(again.train_images, first.train_images)


def test_writing_to_the_images_changes_no_file(parquet: Path, cache: Path) -> None:
    first = load_dataset("cifar10", parquet, cache)
    first.train_images.fill_(0)
    assert load_dataset("cifar10", parquet, cache).train_images.any()


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "json", "no json", "old json"])
def test_a_damaged_cache_is_made_again(parquet: Path, cache: Path, damage: str) -> None:
    first = load_dataset("cifar10", parquet, cache)
    [images], [about] = cache.glob("decoded/*.bin"), cache.glob("decoded/*.json")
    content = bytearray(images.read_bytes())
    if damage == "flip":
        content[1234] ^= 1
        images.write_bytes(content)
    elif damage in ("truncate", "empty"):
        images.write_bytes(content[:-1] if damage == "truncate" else b"")
    elif damage == "no json":
        about.unlink()
    else:
        about.write_text("{" if damage == "json" else json.dumps({"format": decoded.FORMAT}))
    again = load_dataset("cifar10", parquet, cache)
    assert again.fingerprint == first.fingerprint
    assert sorted(decoded_files(cache)) == sorted([images, about])


def test_changed_files_are_decoded_again(parquet: Path, cache: Path) -> None:
    load_dataset("cifar10", parquet, cache)
    write_parquet(parquet / "test-00000-of-00001.parquet", pictures(4, 9), [0, 1, 2, 3])
    found = load_dataset("cifar10", parquet, cache)
    np.testing.assert_array_equal(found.test_images.numpy(), pictures(4, 9))
    assert len(decoded_files(cache)) == 2


def test_what_a_killed_process_left_is_no_hindrance(parquet: Path, cache: Path) -> None:
    slot = sources.decoded(cache, "cifar10", parquet)
    slot.parent.mkdir(parents=True)
    left = slot.with_name(f".{slot.name}.1.part")
    left.write_bytes(b"half of it")
    assert len(load_dataset("cifar10", parquet, cache).train_labels) == 20
    assert len(decoded_files(cache)) == 2
    assert not left.exists()


# What is not as it should be


def test_missing_things_are_named(tmp_path: Path, cache: Path, parquet: Path) -> None:
    with pytest.raises(DataMissing, match=r"not on this machine\. Download"):
        load_dataset("cifar10", cache=cache)
    with pytest.raises(DataMissing, match="does not exist"):
        load_dataset("cifar10", tmp_path / "nowhere", cache)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataMissing, match="no data set"):
        load_dataset("cifar10", tmp_path / "empty", cache)
    assert not available("cifar10", tmp_path / "empty", cache)
    (parquet / "test-00000-of-00001.parquet").unlink()
    with pytest.raises(DataMissing, match="test Parquet is not in"):
        load_dataset("cifar10", parquet, cache)
    write_torchvision(tmp_path / "batches")
    (tmp_path / "batches" / "data_batch_4").unlink()
    with pytest.raises(DataMissing, match="data_batch_4 is not in"):
        load_dataset("cifar10", tmp_path / "batches", cache)
    folder = image_folder(tmp_path / "mine")
    (folder / "test").rename(folder / "tests")
    with pytest.raises(DataMissing, match="no test images"):
        load_dataset("birds", folder, cache)
    for name in ("", "a/b", "../x"):
        with pytest.raises(BadRequest):
            load_dataset(name, parquet, cache)


@pytest.mark.parametrize(
    "damage", ["start", "middle", "end", "text", "label", "no label", "letters", "image", "column"]
)
def test_damaged_parquet_is_refused(parquet: Path, cache: Path, damage: str) -> None:
    file = parquet / "train-00000-of-00001.parquet"
    content = file.read_bytes()
    images = [{"bytes": png(p), "path": ""} for p in pictures(3, 0)]
    if damage in ("start", "middle", "end"):
        keep = {"start": 3, "middle": len(content) // 2, "end": len(content) - 9}[damage]
        file.write_bytes(content[:keep])
    elif damage == "text":
        file.write_text("This is not Parquet.")
    elif damage == "image":
        images[1]["bytes"] = b"\xff\xd8\xff\xe0 not a picture"
        pq.write_table(pa.table({"img": images, "label": [0, 1, 2]}), file)
    elif damage == "column":
        pq.write_table(pa.table({"label": [0, 1, 2]}), file)
    else:
        wrong = {"label": [0, 10, 2], "no label": [0, None, 2], "letters": ["a", "b", "c"]}
        pq.write_table(pa.table({"img": images, "label": wrong[damage]}), file)
    with pytest.raises(DataCorrupt) as caught:
        load_dataset("cifar10", parquet, cache)
    assert str(parquet) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    assert decoded_files(cache) == []


def test_a_file_in_an_image_folder_that_is_no_image(tmp_path: Path, cache: Path) -> None:
    folder = image_folder(tmp_path / "mine")
    (folder / "train" / "stork" / "1.png").write_bytes(b"")
    with pytest.raises(DataCorrupt, match=r"1\.png is not an image"):
        load_dataset("birds", folder, cache)
    assert decoded_files(cache) == []


@pytest.mark.parametrize("cut", [1, 500, 5000, -1])
def test_a_truncated_batch_is_refused(tmp_path: Path, cache: Path, cut: int) -> None:
    write_torchvision(tmp_path / "batches")
    file = tmp_path / "batches" / "data_batch_2"
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(DataCorrupt, match="data_batch_2"):
        load_dataset("cifar10", tmp_path / "batches", cache)


# Real CIFAR-10


def test_batches_in_the_hubs_order_are_put_into_torchvisions(cifar10_folder: Path) -> None:
    [train] = cifar10_folder.glob("train-*.parquet")
    labels = pq.read_table(train, columns=["label"])["label"].to_numpy().reshape(5, -1)
    hub = [3, 2, 1, 4, 0]
    order, torchvision = decoded._batch_order(labels[hub].reshape(-1))
    assert torchvision
    np.testing.assert_array_equal(labels[hub][order], labels)
    places = decoded._placed(
        iter(np.split(np.arange(50_000), 7 * np.arange(1, 7100))), order, 50_000
    )
    out = np.zeros(50_000, np.int64)
    for at, batch in places:
        out[at : at + len(batch)] = batch
    np.testing.assert_array_equal(labels[hub].reshape(-1)[out], labels.reshape(-1))
    assert decoded._batch_order(np.roll(labels.reshape(-1), 1)) == ([0], False)


@pytest.mark.timeout(900)
def test_cifar10(cifar10_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = load_dataset("cifar10", cifar10_folder)
    assert found.train_images.shape == (50_000, 3, 32, 32)
    assert found.test_images.shape == (10_000, 3, 32, 32)
    assert found.train_labels.bincount().tolist() == [5000] * 10
    assert found.test_labels.bincount().tolist() == [1000] * 10
    assert found.index_order == "torchvision"
    assert "original release" not in found.source or "not the original" in found.source
    mean = found.train_images[:5000].float().mean((0, 2, 3))
    assert torch.allclose(mean, torch.tensor([125.3, 123.0, 113.9]), atol=3)
    # What is decoded once is read from then on.
    monkeypatch.setattr("core.data.load.write_decoded", lambda *_: pytest.fail("decoded again"))
    again = load_dataset("cifar10", cifar10_folder)
    assert again.fingerprint == found.fingerprint
    assert torch.equal(again.train_images, found.train_images)


def test_the_tuning_view(cifar10_folder: Path) -> None:
    whole = load_dataset("cifar10", cifar10_folder)
    assert available("cifar10-tuning", cifar10_folder)
    found = load_dataset("cifar10-tuning", cifar10_folder)
    assert found.name == "cifar10-tuning"
    rng, labels = np.random.default_rng(0), whole.train_labels.numpy()
    held = np.sort(
        np.concatenate([rng.permutation(np.flatnonzero(labels == k))[:500] for k in range(10)])
    )
    kept = np.setdiff1d(np.arange(50_000), held)
    assert torch.equal(found.train_images, whole.train_images[kept])
    assert torch.equal(found.train_labels, whole.train_labels[kept])
    assert torch.equal(found.test_images, whole.train_images[held])
    assert torch.equal(found.test_labels, whole.train_labels[held])
    assert found.train_labels.bincount().tolist() == [4500] * 10
    assert found.test_labels.bincount().tolist() == [500] * 10
    assert found.fingerprint != whole.fingerprint
    assert found.index_order == "torchvision-tuning"
    assert found.source.startswith("The tuning view (45,000 of the training images")
    assert found.source.endswith(whole.source)


def test_the_tuning_view_of_other_images(parquet: Path, cache: Path) -> None:
    assert not available("cifar10-tuning", cache=cache)
    with pytest.raises(DataMissing):
        load_dataset("cifar10-tuning", cache=cache)
    with pytest.raises(BadRequest, match="50,000"):
        load_dataset("cifar10-tuning", parquet, cache)
