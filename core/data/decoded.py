"""The decoded images that the cache keeps of each folder, and their fingerprint.

Decoding 60,000 images takes tens of seconds, so it happens once a folder: the result is one file in
the cache, which later starts map into memory and check against its fingerprint. NAME-PLACE.bin
holds train images, train labels, test images and test labels one after the other, exactly the bytes
that the fingerprint is taken over; NAME-PLACE.json says what they are. A folder has one slot, so
that a changed folder replaces its old images.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.data.contents import Labels, Pixels
from core.data.dataset import ImageDataset
from core.data.names import SIDE, is_class_name
from core.data.sources import Source
from core.errors import DataCorrupt
from core.files import replacing

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


# The decoded cache: NAME-PLACE.bin holds train images, train labels, test images and test labels
# one after the other, exactly the bytes that the fingerprint is taken over; NAME-PLACE.json says
# what they are. A folder has one slot, so that a changed folder replaces its old images.


def read_decoded(slot: Path, key: str | None) -> ImageDataset | None:
    """The images in a slot; None if it is empty, damaged, or (with `key`) of another source."""
    try:
        manifest: dict[str, Any] = json.loads(slot.with_suffix(".json").read_text())
        if manifest["format"] != FORMAT or key not in (None, manifest["key"]):
            return None
        train, test = int(manifest["train"]), int(manifest["test"])
        if not all(map(is_class_name, manifest["class_names"])):
            raise ValueError("a class name that no longer passes")
        # Copy-on-write: the tensors may be written to, the file never is.
        content = np.memmap(slot, np.uint8, mode="c")
        if len(content) != (train + test) * (3 * SIDE * SIDE + 8):
            raise ValueError("wrong length")
        if hashlib.sha256(content.data).hexdigest() != manifest["fingerprint"]:
            raise ValueError("wrong fingerprint")
        whole = torch.from_numpy(content)
        images, labels = 3 * SIDE * SIDE, 8
        sizes = [train * images, train * labels, test * images, test * labels]
        pieces = torch.split(whole, sizes)
        return ImageDataset(
            name=str(manifest["name"]),
            train_images=pieces[0].view(train, 3, SIDE, SIDE),
            train_labels=pieces[1].view(torch.int64),
            test_images=pieces[2].view(test, 3, SIDE, SIDE),
            test_labels=pieces[3].view(torch.int64),
            class_names=tuple(manifest["class_names"]),
            fingerprint=str(manifest["fingerprint"]),
            source=_sentence(manifest),
            index_order=str(manifest["index_order"]),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("The decoded images in %s are damaged (%s).", slot, error)
        return None


def write_decoded(slot: Path, name: str, source: Source, key: str) -> None:
    """Decodes `source` into a slot, a thousand images at a time; for use under the slot's lock."""
    contents = source.read(name)
    order, torchvision = _batch_order(contents.train.labels)
    labels = contents.train.labels.reshape(len(order), -1)[order].reshape(-1)
    train, test = len(labels), len(contents.test.labels)
    for stale in slot.parent.glob(f".{slot.name}.*.part"):  # by a killed process: we have the lock
        stale.unlink(missing_ok=True)
    with replacing(slot) as part:
        with part.open("wb") as file:
            for position, batch in _placed(contents.train.images(), order, train):
                file.seek(position * 3 * SIDE * SIDE)
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
    manifest = {
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
    with replacing(slot.with_suffix(".json")) as part:
        part.write_text(json.dumps(manifest, indent=1))


def _sentence(facts: dict[str, Any]) -> str:
    title = KNOWN_FINGERPRINTS.get(facts["fingerprint"])
    if title is None and facts["official"]:
        title = "CIFAR-10, the original release by its published checksums"
    if title is None:
        title = "CIFAR-10 images" if facts["name"] == "cifar10" else f"Images named {facts['name']}"
    counts = f"{facts['train']:,} training and {facts['test']:,} test images"
    return f"{title}: {counts}."


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
    """Each batch with the position of its first image, split where it spans two parts."""
    size = count // len(order)
    done = 0
    for batch in batches:
        while len(batch):
            part, offset = divmod(done, size)
            if part >= len(order):
                raise DataCorrupt("There are more images than labels.", "Get the data again.")
            piece, batch = batch[: size - offset], batch[size - offset :]
            yield order.index(part) * size + offset, piece
            done += len(piece)
    if done != count:
        raise DataCorrupt("There are fewer images than labels.", "Get the data again.")
