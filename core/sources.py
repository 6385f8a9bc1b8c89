"""Reads images and labels from a folder, in the layouts that CIFAR-10 comes in.

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
import os
import pickletools
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import BadRequest, DataCorrupt, DataMissing, short
from core.folders import cache_folder

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]

SIDE = 32
BATCH = 1000
CIFAR10_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip

LONGEST_NAME = 60
_BETWEEN = frozenset(" _-'.,()/&+")

TUNING = "cifar10-tuning"
"""The name of the view that `core.data` makes of CIFAR-10's training images."""
WRONG_LABELS, BACKDOOR = "cifar10-wrong-labels", "cifar10-backdoor"
"""The names of the copies whose training images `core.poisoned` tampers with."""

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


_AGAIN = "Get the file again."
_BATCH_KEYS: set[str | bytes] = {"labels", "data", "filenames", "batch_label"}
_BATCH_KEYS |= {key.encode() for key in _BATCH_KEYS if isinstance(key, str)}


def is_class_name(name: str) -> bool:
    """Whether a class may be called so: letters and digits of any language, single spaces and
    _ - ' . , ( ) / & +, at most `LONGEST_NAME` characters. Names stand on screens and in links."""
    return (
        0 < len(name) <= LONGEST_NAME
        and name == " ".join(name.split())
        # The marks of a letter (M) are part of it in many scripts.
        and all(c in _BETWEEN or unicodedata.category(c)[0] in "LMN" for c in name)
    )


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


@dataclass(frozen=True)
class Source:
    """A folder in one of the layouts. files: all that is read, sorted."""

    folder: Path
    layout: str
    files: tuple[Path, ...]

    def key(self) -> str:
        """Changes when a file is added, removed or written: sha256 of names, sizes and times."""
        stats = [
            (str(file.relative_to(self.folder)), stat.st_size, stat.st_mtime_ns)
            for file in self.files
            for stat in [file.stat()]
        ]
        return hashlib.sha256(json.dumps([self.layout, stats]).encode()).hexdigest()

    def read(self, name: str) -> Contents:
        """Opens the source. Images are decoded later, when `Part.images` is iterated.

        name: "cifar10" wants CIFAR-10's ten classes; any other name takes what is there.
        Raises DataCorrupt.
        """
        readers = {"torchvision": _read_torchvision, "parquet": _read_parquet}
        contents = readers.get(self.layout, _read_folder)(self)
        names = contents.class_names
        if name == "cifar10":
            if names and names != CIFAR10_CLASSES:
                raise DataCorrupt(
                    f"{self.folder} does not hold the ten classes of CIFAR-10.",
                    "Load it under a name of its own.",
                )
            names = CIFAR10_CLASSES
        elif not names:
            names = tuple(str(i) for i in range(int(contents.train.labels.max()) + 1))
        for odd in (n for n in names if not is_class_name(n)):
            raise DataCorrupt(
                f"{self.folder} has a class named {short(odd)}.",
                f"A class name is at most {LONGEST_NAME} letters, digits, spaces and "
                "_ - ' . , ( ) / & +; rename it.",
            )
        for part, half in (("training", contents.train), ("test", contents.test)):
            if not len(half.labels):
                raise DataCorrupt(f"{self.folder} holds no {part} images.")
            wrong = half.labels[(half.labels < 0) | (half.labels >= len(names))]
            if len(wrong):
                raise DataCorrupt(
                    f"A {part} label in {self.folder} is {wrong[0]}, "
                    f"but labels run from 0 to {len(names) - 1}.",
                    "Get the data again.",
                )
        return Contents(contents.train, contents.test, names, contents.official)


def find_source(folder: Path, name: str) -> Source:
    """The data set in `folder`, or in the places below it where downloads put one.

    Reads no file. Raises DataMissing, which says what is not there.
    """
    if not folder.is_dir():
        raise DataMissing(
            f"The data folder {folder} does not exist.", "Check its name, or download the data."
        )
    missing = ""
    below = ("", "cifar-10-batches-py", "plain_text", name, f"{name}/plain_text")
    for place in (*below, f"{name}/cifar-10-batches-py"):
        here = folder / place
        if not here.is_dir():
            continue
        batches = [here / batch for batch in (*TRAIN_BATCHES, TEST_BATCH)]
        absent = [file for file in batches if not file.is_file()]
        if not absent:
            return Source(here, "torchvision", tuple(batches))
        if len(absent) < len(batches):
            missing = missing or f"{absent[0].name} is not in {here}."
        train, test = sorted(here.glob("train-*.parquet")), sorted(here.glob("test-*.parquet"))
        if train and test:
            return Source(here, "parquet", (*train, *test))
        if train or test:
            missing = missing or f"The {'test' if train else 'training'} Parquet is not in {here}."
        if (here / "train").is_dir() or (here / "test").is_dir():
            images = [_images_below(here / half) for half in ("train", "test")]
            if all(images):
                return Source(here, "folder", (*images[0], *images[1]))
            half = "training" if not images[0] else "test"
            missing = missing or f"There are no {half} images in {here}."
    raise DataMissing(
        missing or f"There is no data set in {folder}.",
        "It needs cifar-10-batches-py, train-*.parquet and test-*.parquet, "
        "or train/CLASS/* and test/CLASS/*.",
    )


def downloads(cache: Path, name: str) -> Path:
    """Where a download of the data set `name` ends up."""
    return cache / "downloads" / name


def decoded(cache: Path, name: str, place: Path) -> Path:
    """Where the decoded images of `place` are kept: this file, and one beside it in `.json`."""
    return cache / "decoded" / f"{name}-{hashlib.sha256(str(place).encode()).hexdigest()[:16]}.bin"


def place_of(name: str, folder: str | Path | None, cache: Path) -> tuple[Path, bool]:
    """The folder to look in, and whether somebody named it (`folder`, or FORGETTING_LAB_DATA).

    Raises BadRequest where `name` cannot name a data set, or DataMissing.
    """
    if not name or name != Path(name).name or name.startswith("."):
        raise BadRequest(
            f"{short(name)} cannot name a data set.", "Use cifar10, digits or a plain word."
        )
    named = folder or os.environ.get("FORGETTING_LAB_DATA")
    if not named:
        return downloads(cache, name), False
    try:
        return Path(named).expanduser().absolute(), True
    except RuntimeError as error:  # ~NAME of no known user
        raise DataMissing(f"The data folder {named} does not exist.", "Check its name.") from error


def available(name: str, folder: str | Path | None = None, cache: Path | None = None) -> bool:
    """Whether `load_dataset` would find the data set. Looks at names only, and needs no torch."""
    if name == "digits":
        return True
    if name == TUNING:
        name = "cifar10"
    cache = cache_folder() if cache is None else cache
    named = True
    try:
        place, named = place_of(name, folder, cache)
        find_source(place, name)
    except DataMissing:
        return not named and decoded(cache, name, place).with_suffix(".json").exists()
    return True


def _images_below(half: Path) -> list[Path]:
    return sorted(
        file
        for kind in (sorted(half.iterdir()) if half.is_dir() else [])
        if kind.is_dir() and not kind.name.startswith(".")
        for file in kind.iterdir()
        if file.is_file() and not file.name.startswith(".") and file.name != "Thumbs.db"
    )


def _read_torchvision(source: Source) -> Contents:
    # A batch is 31 MB. Labels are wanted before the first image, so each file is read twice.
    official = True
    labels = []
    for file in source.files:
        raw = file.read_bytes()
        digest = hashlib.md5(raw, usedforsecurity=False).hexdigest()
        official = official and digest == OFFICIAL_MD5.get(file.name)
        labels.append(_parse_batch(raw, file)[1])

    return Contents(
        Part(np.concatenate(labels[:-1]), partial(_torchvision_images, source.files[:-1])),
        Part(labels[-1], partial(_torchvision_images, source.files[-1:])),
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
        raise DataCorrupt(f"{file} is damaged or not a CIFAR-10 batch.", _AGAIN) from error
    if not labels or len(pixels) != len(labels) * 3 * SIDE * SIDE:
        raise DataCorrupt(f"{file} does not hold as many images as labels.", _AGAIN)
    shape = (len(labels), 3, SIDE, SIDE)
    return np.frombuffer(pixels, np.uint8).reshape(shape), np.asarray(labels, np.int64)


def _read_parquet(source: Source) -> Contents:
    halves = [
        [file for file in source.files if file.name.startswith(half)]
        for half in ("train-", "test-")
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
    official = {file.name for file in source.files} == set(HUB_SHA256) and all(
        hashlib.sha256(file.read_bytes()).hexdigest() == HUB_SHA256[file.name]
        for file in source.files
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
        raise DataCorrupt(f"{file} is damaged or not a Parquet file of images.", _AGAIN) from error
    if not pa.types.is_integer(column.type) or column.null_count:
        raise DataCorrupt(f"The labels in {file} are not all whole numbers.", _AGAIN)
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
            raise DataCorrupt(f"{file} is damaged after image {first}.", _AGAIN) from error


def _image_bytes(row: Any) -> bytes:
    content = row.get("bytes") if isinstance(row, dict) else row
    return content if isinstance(content, bytes) else b""


def _read_folder(source: Source) -> Contents:
    halves = [
        [file for file in source.files if file.relative_to(source.folder).parts[0] == half]
        for half in ("train", "test")
    ]
    names = tuple(sorted({file.parent.name for file in halves[0]}))
    for file in halves[1]:
        if file.parent.name not in names:
            raise DataCorrupt(
                f"{source.folder} has test images of class {file.parent.name!r}, "
                "but none to train on.",
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
        raise DataCorrupt(f"{what} is not an image that can be read.", _AGAIN) from error
    if picture.size != (SIDE, SIDE):
        picture = picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.asarray(picture, np.uint8).transpose(2, 0, 1)
