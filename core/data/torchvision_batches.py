"""CIFAR-10 as torchvision has it: `data_batch_1` .. `data_batch_5`, `test_batch`
(`cifar-10-batches-py`).

The batches are pickles. They are never unpickled: `pickletools.genops` lists their opcodes without
running one, and the pixels and labels are picked out of that list, so a hostile file can at worst
be refused.
"""

from __future__ import annotations

import hashlib
import pickletools
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from core.data.contents import AGAIN, Contents, Labels, Part, Pixels
from core.data.names import CIFAR10_CLASSES, SIDE
from core.errors import DataCorrupt

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
"""What torchvision pins: it tells the original release from other copies. Safety does not rest on
it."""


_BATCH_KEYS: set[str | bytes] = {"labels", "data", "filenames", "batch_label"}
_BATCH_KEYS |= {key.encode() for key in _BATCH_KEYS if isinstance(key, str)}


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
