"""Images of one's own: `train/CLASS/*`, `test/CLASS/*`, any image that PIL reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from core.data.contents import BATCH, Contents, Part, Pixels, decode_images
from core.errors import DataCorrupt


def images_below(half: Path) -> list[Path]:
    return sorted(
        file
        for folder in (sorted(half.iterdir()) if half.is_dir() else [])
        if folder.is_dir() and not folder.name.startswith(".")
        for file in folder.iterdir()
        if file.is_file() and not file.name.startswith(".") and file.name != "Thumbs.db"
    )


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
                [decode_images(file.read_bytes(), str(file)) for file in files[start:][:BATCH]]
            )

    train, test = (
        Part(
            np.asarray([names.index(file.parent.name) for file in files], np.int64),
            partial(images, files),
        )
        for files in halves
    )
    return Contents(train, test, names)
