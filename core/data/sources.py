"""Where a data set's files lie, and in which of the layouts that can be read."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from core.data.contents import Contents
from core.data.image_folders import images_below, read_folder
from core.data.names import CIFAR10_CLASSES, LONGEST_NAME, TUNING, is_class_name
from core.data.parquet import read_parquet
from core.data.torchvision_batches import TEST_BATCH, TRAIN_BATCHES, read_torchvision
from core.errors import BadRequest, DataCorrupt, DataMissing, short
from core.files import cache_folder


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
        readers = {"torchvision": read_torchvision, "parquet": read_parquet}
        contents = readers.get(self.layout, read_folder)(self.folder, self.files)
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
    """The data set in `folder`, or in the subfolders where downloads put one.

    Reads no file. Raises DataMissing, which says what is not there.
    """
    if not folder.is_dir():
        raise DataMissing(
            f"The data folder {folder} does not exist.", "Check its name, or download the data."
        )
    missing = ""
    below = ("", "cifar-10-batches-py", "plain_text", name, f"{name}/plain_text")
    for subfolder in (*below, f"{name}/cifar-10-batches-py"):
        here = folder / subfolder
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
            images = [images_below(here / half) for half in ("train", "test")]
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


def decoded(cache: Path, name: str, folder: Path) -> Path:
    """Where the decoded images of `folder` are kept: this file, and one beside it in `.json`."""
    return cache / "decoded" / f"{name}-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}.bin"


def data_folder(name: str, folder: str | Path | None, cache: Path) -> tuple[Path, bool]:
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
        location, named = data_folder(name, folder, cache)
        find_source(location, name)
    except DataMissing:
        return not named and decoded(cache, name, location).with_suffix(".json").exists()
    return True
