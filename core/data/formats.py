"""Reads images and labels in the layouts that CIFAR-10 comes in.

torchvision   `data_batch_1` .. `data_batch_5`, `test_batch` (`cifar-10-batches-py`)
parquet       the Hub's: `train-*.parquet`, `test-*.parquet`, columns `img` (bytes, path), `label`
folder        `train/CLASS/*`, `test/CLASS/*`, any image that PIL reads

The batches of the first layout are pickles. They are never unpickled: `pickletools.genops` lists
their opcodes without running one, and the pixels and labels are picked out of that list, so a
hostile file can at worst be refused.

Images come in batches, so that decoding needs little memory whatever the size of the data.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickletools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.data.names import CIFAR10_CLASSES, SIDE
from core.errors import DataCorrupt

Pixels = NDArray[np.uint8]


Labels = NDArray[np.int64]


BATCH = 1000


TRAIN_BATCHES = tuple(f"data_batch_{i}" for i in range(1, 6))


TEST_BATCH = "test_batch"


OFFICIAL_MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}


AGAIN = "Get the file again."


HUB_SHA256 = {
    "train-00000-of-00001.parquet": (
        "8428b53a88a11ac374111006708df51469e315a22ac6d66470afd9c78d2ae883"
    ),
    "test-00000-of-00001.parquet": (
        "841389e6f2d64f28bf17310e430aebac20ec3ba611a3c5e231dc93c645ce84de"
    ),
}
"""What torchvision pins, and the Hub for uoft-cs/cifar10 (the same pixels, as PNG): they tell the
original release from other copies. Safety does not rest on them."""

_BATCH_KEYS: set[str | bytes] = {"labels", "data", "filenames", "batch_label"}
_BATCH_KEYS |= {key.encode() for key in _BATCH_KEYS if isinstance(key, str)}


@dataclass(frozen=True)
class Part:
    """One half of a data set: labels int64 (n,), and images uint8 (batch, 3, 32, 32) in order."""

    labels: Labels
    images: Callable[[], Iterator[Pixels]]


@dataclass(frozen=True)
class Contents:
    """What a folder holds. official: it is CIFAR-10's own release, by its published checksums."""

    train: Part
    test: Part
    class_names: tuple[str, ...]
    official: bool = False


def images_below(half: Path) -> list[Path]:
    return sorted(
        file
        for kind in (sorted(half.iterdir()) if half.is_dir() else [])
        if kind.is_dir() and not kind.name.startswith(".")
        for file in kind.iterdir()
        if file.is_file() and not file.name.startswith(".") and file.name != "Thumbs.db"
    )


def read_torchvision(folder: Path, files: Sequence[Path]) -> Contents:
    # A batch is 31 MB. Labels are wanted before the first image, so each file is read twice.
    official = True
    labels = []
    for file in files:
        raw = file.read_bytes()
        digest = hashlib.md5(raw, usedforsecurity=False).hexdigest()
        official = official and digest == OFFICIAL_MD5.get(file.name)
        labels.append(_parse_batch(raw, file)[1])

    return Contents(
        Part(np.concatenate(labels[:-1]), partial(_torchvision_images, files[:-1])),
        Part(labels[-1], partial(_torchvision_images, files[-1:])),
        CIFAR10_CLASSES,
        official,
    )


def _torchvision_images(files: Sequence[Path]) -> Iterator[Pixels]:
    for file in files:
        yield _parse_batch(file.read_bytes(), file)[0]


def _parse_batch(raw: bytes, file: Path) -> tuple[Pixels, Labels]:
    """The pixels and labels of one batch, from its opcodes; nothing in the file is executed."""
    pixels: str | bytes = b""
    labels: list[int] = []
    key: str | bytes = ""
    try:
        for opcode, argument, _ in pickletools.genops(raw):
            if isinstance(argument, bytearray):
                argument = bytes(argument)  # how protocol 5 carries an array
            if isinstance(argument, str | bytes) and opcode.name != "GLOBAL":
                if len(argument) < 16 and argument in _BATCH_KEYS:
                    key = argument
                elif key in ("data", b"data") and len(argument) > len(pixels):
                    pixels = argument
            elif key in ("labels", b"labels") and opcode.name in ("BININT1", "BININT2", "BININT"):
                assert isinstance(argument, int)
                labels.append(argument)
        if isinstance(pixels, str):
            # Python 2 wrote plain strings, which genops gives as Latin-1 text.
            pixels = pixels.encode("latin-1")
    except Exception as error:  # genops raises whatever it stumbles over in damaged bytes
        raise DataCorrupt(f"{file} is damaged or not a CIFAR-10 batch.", AGAIN) from error
    if not labels or len(pixels) != len(labels) * 3 * SIDE * SIDE:
        raise DataCorrupt(f"{file} does not hold as many images as labels.", AGAIN)
    shape = (len(labels), 3, SIDE, SIDE)
    return np.frombuffer(pixels, np.uint8).reshape(shape), np.asarray(labels, np.int64)


def read_parquet(folder: Path, files: Sequence[Path]) -> Contents:
    halves = [
        [file for file in files if file.name.startswith(half)] for half in ("train-", "test-")
    ]
    names: tuple[str, ...] = ()
    parts = []
    for files in halves:
        labels = []
        for file in files:
            found, column = _parquet_labels(file)
            labels.append(column)
            names = names or found
        parts.append(Part(np.concatenate(labels), partial(_parquet_images, files)))
    official = {file.name for file in files} == set(HUB_SHA256) and all(
        hashlib.sha256(file.read_bytes()).hexdigest() == HUB_SHA256[file.name] for file in files
    )
    return Contents(parts[0], parts[1], names, official)


def _parquet_labels(file: Path) -> tuple[tuple[str, ...], Labels]:
    """The class names, where the file carries the Hub's metadata, and the labels (n,)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as parquet:
            schema = parquet.schema_arrow
            column = parquet.read(columns=["label"])["label"]
    except (OSError, KeyError, pa.ArrowException) as error:
        raise DataCorrupt(f"{file} is damaged or not a Parquet file of images.", AGAIN) from error
    if not pa.types.is_integer(column.type) or column.null_count:
        raise DataCorrupt(f"The labels in {file} are not all whole numbers.", AGAIN)
    names: tuple[str, ...] = ()
    try:
        hub = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        names = tuple(str(n) for n in hub["info"]["features"]["label"]["names"])
    except (ValueError, KeyError, TypeError):
        pass  # Class names are optional there.
    return names, column.to_numpy().astype(np.int64)


def _parquet_images(files: Sequence[Path]) -> Iterator[Pixels]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for file in files:
        first = 0
        try:
            with pq.ParquetFile(file) as parquet:
                known = parquet.schema_arrow.names
                column = "img" if "img" in known else "image"
                for batch in parquet.iter_batches(BATCH, columns=[column]):
                    rows = batch.column(0).to_pylist()
                    yield np.stack(
                        [
                            _decode(_image_bytes(row), f"Image {first + i} of {file}")
                            for i, row in enumerate(rows)
                        ]
                    )
                    first += len(rows)
        except (OSError, KeyError, IndexError, pa.ArrowException) as error:
            raise DataCorrupt(f"{file} is damaged after image {first}.", AGAIN) from error


def _image_bytes(row: Any) -> bytes:
    content = row.get("bytes") if isinstance(row, dict) else row
    return content if isinstance(content, bytes) else b""


def read_folder(folder: Path, files: Sequence[Path]) -> Contents:
    halves = [
        [file for file in files if file.relative_to(folder).parts[0] == half]
        for half in ("train", "test")
    ]
    names = tuple(sorted({file.parent.name for file in halves[0]}))
    for file in halves[1]:
        if file.parent.name not in names:
            raise DataCorrupt(
                f"{folder} has test images of class {file.parent.name!r}, but none to train on.",
                "Give train/ and test/ the same classes.",
            )

    def images(files: list[Path]) -> Iterator[Pixels]:
        for start in range(0, len(files), BATCH):
            yield np.stack(
                [_decode(file.read_bytes(), str(file)) for file in files[start:][:BATCH]]
            )

    train, test = (
        Part(
            np.asarray([names.index(file.parent.name) for file in files], np.int64),
            partial(images, files),
        )
        for files in halves
    )
    return Contents(train, test, names)


def _decode(content: bytes, what: str) -> Pixels:
    """An encoded image as uint8 (3, 32, 32), resized where it has another size."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            picture = image.convert("RGB")
    except Exception as error:  # PIL raises whatever its plug-ins stumble over
        raise DataCorrupt(f"{what} is not an image that can be read.", AGAIN) from error
    if picture.size != (SIDE, SIDE):
        picture = picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.asarray(picture, np.uint8).transpose(2, 0, 1)
