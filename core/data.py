"""Images as uint8 tensors, and where they come from.

The sources, in this order: a folder that is named (see `sources`), what an earlier download left in
the cache (see `download`), and, under the name "digits", scikit-learn's handwritten digits, which
need neither. Nothing is ever downloaded from here. "cifar10-tuning" is a view of the training
images of CIFAR-10 alone, so that hyper-parameters are found without its test images.

Decoding 60,000 images takes tens of seconds, so it happens once a folder: the result is one file in
the cache, which later starts map into memory and check against its fingerprint.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from core.download import DownloadProgress, download
from core.errors import BadRequest, DataCorrupt, DataMissing, LabError
from core.folders import cache_folder
from core.poisoned import TARGET, with_backdoor, with_wrong_labels
from core.sources import (
    BACKDOOR,
    CIFAR10_CLASSES,
    SIDE,
    TUNING,
    WRONG_LABELS,
    Labels,
    Pixels,
    Source,
    available,
    decoded,
    find_source,
    is_class_name,
    place_of,
)

__all__ = [
    "CIFAR10_CLASSES",
    "DownloadProgress",
    "ImageDataset",
    "available",
    "cache_folder",
    "download",
    "load_dataset",
]

log = logging.getLogger(__name__)

KNOWN_FINGERPRINTS = {
    "ab9875e3be953f50d506f91f6429abd5c4e0ae83b01bac3f15506cb4e8e3b7e9": (
        "CIFAR-10 re-encoded as JPEG of quality 75, not the original release"
    ),
}
"""Data that could be taken for something else, by fingerprint: what it is."""

BATCH_DIGESTS = (
    "d829dbdf32167c9d7b3687cee66d92d80d46c441308b5aca0d11e8b69e27dac9",
    "5d18f7371ed35ea9ade77952fe958b0660a45cd6c8b8a8970030f21612cfd7e3",
    "32cf77b0ee2e790b1c4384d2d82e42dc1571b87e67f6da8f444b2725b2973f65",
    "d2815e3f8f656272864920fc0edde56b04ec9cf81bf397c0dd3069f4aea51aeb",
    "2ddf3ab27d5d04409c94ce7b56849c243129c10de1058ae0bfe14c77e934800c",
)
"""sha256 of the 10,000 labels (one byte each) of CIFAR-10's training batches 1 to 5: what tells
which image an index means, and puts batches that stand in another order back into this one."""

FORMAT = 1


@dataclass(frozen=True, eq=False)
class ImageDataset:
    """A data set in memory.

    name: "cifar10", "cifar10-tuning", "digits", or the name that a folder was loaded under.
    train_images, test_images: uint8 (N, 3, 32, 32), contiguous. Writing to them changes this copy
    only, never the file they may be mapped from; do not: others share the tensor.
    train_labels, test_labels: int64 (N,), an index into `class_names`.
    fingerprint: sha256 over the bytes of train images, train labels, test images, test labels.
    source: one plain sentence: what these images are. It names no folder, since runs are shared.
    index_order: which image an index means, where that is known: "torchvision" if training image i
    is image i of torchvision's CIFAR10, "torchvision-tuning" for the tuning view of that, else "".
    wrong_labels: bool (N,), the training images whose labels are wrong on purpose; None if none.
    """

    name: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    class_names: tuple[str, ...]
    fingerprint: str
    source: str
    index_order: str = ""
    wrong_labels: Tensor | None = None


def load_dataset(
    name: str, folder: str | Path | None = None, cache: Path | None = None
) -> ImageDataset:
    """The data set `name`: "digits", "cifar10", or any name for a folder of images of your own.

    "cifar10-tuning" is made from the folder of "cifar10": 45,000 of its training images, and the
    other 5,000 (500 of each class) as test images. "cifar10-wrong-labels" and "cifar10-backdoor"
    are CIFAR-10 with some training images tampered with, see `core.poisoned`.
    folder: where the images are; without it the environment's FORGETTING_LAB_DATA, then what a
    download left in the cache. "digits" needs none and ignores it.
    cache: the cache folder, by default `cache_folder()`.
    Raises DataMissing, DataCorrupt, or LabError where the cache cannot be written.
    """
    if name == "digits":
        return _digits()
    if name in (TUNING, WRONG_LABELS, BACKDOOR):
        whole = load_dataset("cifar10", folder, cache)
        return _tuning_view(whole) if name == TUNING else _tampered_with(whole, name)
    cache = cache_folder() if cache is None else cache
    place, named = place_of(name, folder, cache)
    slot = decoded(cache, name, place)
    try:
        source = find_source(place, name)
    except DataMissing as error:
        if named:
            raise
        # A download's own files may be gone, its decoded images are as good.
        if not slot.with_suffix(".json").exists():
            raise DataMissing(
                f"{_title(name)} is not on this machine.",
                "Download it, or name its folder with --data or FORGETTING_LAB_DATA.",
            ) from error
        found = _read_decoded(slot, None)
        if found is None:
            raise DataCorrupt(
                f"The decoded {_title(name)} images in the cache are damaged, "
                "and the files they came from are gone.",
                "Download them again.",
            ) from error
        return found
    try:
        key = source.key()
        found = _read_decoded(slot, key)
        if found is not None:
            return found
        slot.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(slot.with_suffix(".lock")):
            # Another process may have decoded the same folder meanwhile.
            found = _read_decoded(slot, key)
            if found is None:
                _write_decoded(slot, name, source, key)
                found = _read_decoded(slot, key)
    except OSError as error:
        raise LabError(
            f"The images of {place} cannot be read or kept in {slot.parent} ({error.strerror}).",
            "Check space and permissions, or set FORGETTING_LAB_CACHE to another folder.",
        ) from error
    if found is None:
        raise LabError(
            f"The images decoded into {slot.parent} do not read back as written.",
            "Check the disk, or set FORGETTING_LAB_CACHE to another folder.",
        )
    return found


def _title(name: str) -> str:
    return "CIFAR-10" if name == "cifar10" else f"The data set {name!r}"


# The decoded cache: NAME-PLACE.bin holds train images, train labels, test images and test labels
# one after the other, exactly the bytes that the fingerprint is taken over; NAME-PLACE.json says
# what they are. A folder has one slot, so that a changed folder replaces its old images.


def _read_decoded(slot: Path, key: str | None) -> ImageDataset | None:
    """The images in a slot; None if it is empty, damaged, or (with `key`) of another source."""
    try:
        about: dict[str, Any] = json.loads(slot.with_suffix(".json").read_text())
        if about["format"] != FORMAT or key not in (None, about["key"]):
            return None
        train, test = int(about["train"]), int(about["test"])
        if not all(map(is_class_name, about["class_names"])):
            raise ValueError("a class name that no longer passes")
        # Copy-on-write: the tensors may be written to, the file never is.
        content = np.memmap(slot, np.uint8, mode="c")
        if len(content) != (train + test) * (3 * SIDE * SIDE + 8):
            raise ValueError("wrong length")
        if hashlib.sha256(content.data).hexdigest() != about["fingerprint"]:
            raise ValueError("wrong fingerprint")
        whole = torch.from_numpy(content)
        images, labels = 3 * SIDE * SIDE, 8
        sizes = [train * images, train * labels, test * images, test * labels]
        pieces = torch.split(whole, sizes)
        return ImageDataset(
            name=str(about["name"]),
            train_images=pieces[0].view(train, 3, SIDE, SIDE),
            train_labels=pieces[1].view(torch.int64),
            test_images=pieces[2].view(test, 3, SIDE, SIDE),
            test_labels=pieces[3].view(torch.int64),
            class_names=tuple(about["class_names"]),
            fingerprint=str(about["fingerprint"]),
            source=_sentence(about),
            index_order=str(about["index_order"]),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("The decoded images in %s are damaged (%s).", slot, error)
        return None


def _write_decoded(slot: Path, name: str, source: Source, key: str) -> None:
    """Decodes `source` into a slot, a thousand images at a time."""
    contents = source.read(name)
    order, torchvision = _batch_order(contents.train.labels)
    labels = contents.train.labels.reshape(len(order), -1)[order].reshape(-1)
    train, test = len(labels), len(contents.test.labels)
    with _replacing(slot) as part:
        with part.open("wb") as file:
            for at, batch in _placed(contents.train.images(), order, train):
                file.seek(at * 3 * SIDE * SIDE)
                file.write(batch.tobytes())
            file.seek(train * 3 * SIDE * SIDE)
            file.write(labels.astype("<i8").tobytes())
            for _, batch in _placed(contents.test.images(), [0], test):
                file.write(batch.tobytes())
            file.write(contents.test.labels.astype("<i8").tobytes())
            file.flush()
            os.fsync(file.fileno())
        with part.open("rb") as file:
            fingerprint = hashlib.file_digest(file, "sha256").hexdigest()
    about = {
        "format": FORMAT,
        "name": name,
        "key": key,
        "train": train,
        "test": test,
        "class_names": contents.class_names,
        "fingerprint": fingerprint,
        "official": contents.official,
        "index_order": "torchvision" if torchvision else "",
    }
    with _replacing(slot.with_suffix(".json")) as part:
        part.write_text(json.dumps(about, indent=1))


def _sentence(about: dict[str, Any]) -> str:
    what = KNOWN_FINGERPRINTS.get(about["fingerprint"])
    if what is None and about["official"]:
        what = "CIFAR-10, the original release by its published checksums"
    if what is None:
        what = "CIFAR-10 images" if about["name"] == "cifar10" else f"Images named {about['name']}"
    counts = f"{about['train']:,} training and {about['test']:,} test images"
    return f"{what}: {counts}."


def _batch_order(labels: Labels) -> tuple[list[int], bool]:
    """How to sort five batches into torchvision's order, and whether they then stand in it.

    The Hub lists the batches as the archive does (4, 3, 2, 5, 1), which would give every index
    another meaning. Anything but CIFAR-10's own 50,000 labels stays as it is.
    """
    if len(labels) != 50_000:
        return [0], False
    digests = [
        hashlib.sha256(batch.astype(np.uint8).tobytes()).hexdigest()
        for batch in labels.reshape(5, -1)
    ]
    if sorted(digests) != sorted(BATCH_DIGESTS):
        return [0], False
    return [digests.index(digest) for digest in BATCH_DIGESTS], True


def _placed(
    batches: Iterator[Pixels], order: list[int], count: int
) -> Iterator[tuple[int, Pixels]]:
    """Each batch with the place of its first image, cut where it runs across two parts."""
    size = count // len(order)
    done = 0
    for batch in batches:
        while len(batch):
            part, offset = divmod(done, size)
            if part >= len(order):
                raise DataCorrupt("There are more images than labels.", "Get the data again.")
            now, batch = batch[: size - offset], batch[size - offset :]
            yield order.index(part) * size + offset, now
            done += len(now)
    if done != count:
        raise DataCorrupt("There are fewer images than labels.", "Get the data again.")


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """A file beside `target` that takes its place if the block ends well, and is deleted if not.

    For use under the slot's lock: what a killed process left is overwritten, not added to.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        yield part
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _tuning_view(whole: ImageDataset) -> ImageDataset:
    """CIFAR-10's training images, 45,000 to train and 5,000 held out, stratified and fixed."""
    labels = whole.train_labels.numpy()
    if np.bincount(labels).tolist() != [5000] * 10:
        raise BadRequest(
            f"{TUNING} is made from CIFAR-10's own 50,000 training images, which these are not."
        )
    draw = np.random.default_rng(0)
    held = np.sort(
        np.concatenate([draw.permutation(np.flatnonzero(labels == k))[:500] for k in range(10)])
    )
    kept = np.setdiff1d(np.arange(len(labels)), held)
    train, test = torch.from_numpy(kept), torch.from_numpy(held)
    images, labels_of = whole.train_images, whole.train_labels
    parts = (images[train], labels_of[train], images[test], labels_of[test])
    return ImageDataset(
        TUNING,
        *parts,
        class_names=whole.class_names,
        fingerprint=_fingerprint(parts),
        source=(
            f"The tuning view (45,000 of the training images, the other 5,000 as its test images) "
            f"of {whole.source}"
        ),
        index_order=whole.index_order and f"{whole.index_order}-tuning",
    )


def _tampered_with(whole: ImageDataset, name: str) -> ImageDataset:
    """A copy of CIFAR-10 for the question whether a network forgets what it should not have
    learned."""
    images, labels = whole.train_images, whole.train_labels
    if name == WRONG_LABELS:
        labels, wrong = with_wrong_labels(labels, len(whole.class_names))
        what = "have a wrong label"
    else:
        images, labels, wrong = with_backdoor(images, labels)
        what = f"carry a patch and the label {whole.class_names[TARGET]}"
    return dataclasses.replace(
        whole,
        name=name,
        train_images=images,
        train_labels=labels,
        fingerprint=_fingerprint((images, labels, whole.test_images, whole.test_labels)),
        source=f"{whole.source} {int(wrong.sum()):,} of the training images {what}, on purpose.",
        index_order=whole.index_order and f"{whole.index_order}-{name.removeprefix('cifar10-')}",
        wrong_labels=wrong,
    )


def _fingerprint(parts: Iterable[Tensor]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.numpy().data)
    return digest.hexdigest()


@functools.cache
def _digits() -> ImageDataset:
    """scikit-learn's 1,797 handwritten digits (8 x 8, 16 grey levels) at 32 x 32 in three channels.

    897 train, 900 test, stratified. Clean digits show almost no memorisation, so 179 of the
    training labels (a fifth) are replaced by another digit, drawn evenly. Split and labels are
    fixed by the seeds below; the pixels are sums of a few binary fractions, exact on any machine.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    loaded = load_digits()
    images = torch.from_numpy(loaded.images).float()[:, None] * (255 / 16)
    large = torch.nn.functional.interpolate(images, (SIDE, SIDE), mode="bilinear")
    pixels = large.round().to(torch.uint8).expand(-1, 3, -1, -1).contiguous()
    true = np.asarray(loaded.target, np.int64)
    train, test = train_test_split(
        np.arange(len(true)), train_size=897, test_size=900, random_state=0, stratify=true
    )
    # Not seed 0: a random forget request of seed 0 would pick exactly the images drawn here.
    draw = np.random.default_rng(1797)
    wrong = np.zeros(len(train), np.bool_)
    wrong[draw.permutation(len(train))[: round(len(train) / 5)]] = True
    labels = true[train]
    labels[wrong] = (labels[wrong] + draw.integers(1, 10, wrong.sum())) % 10
    parts = (pixels[train], torch.from_numpy(labels), pixels[test], torch.from_numpy(true[test]))
    return ImageDataset(
        "digits",
        *parts,
        class_names=tuple(str(digit) for digit in range(10)),
        fingerprint=_fingerprint(parts),
        source=(
            "scikit-learn's handwritten digits at 32 x 32: 897 training and 900 test images; "
            f"{int(wrong.sum())} of the training labels (a fifth) are wrong on purpose, "
            "so that there is something to memorise."
        ),
        wrong_labels=torch.from_numpy(wrong),
    )
