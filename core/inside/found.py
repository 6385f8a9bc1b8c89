"""What a look inside three networks found, and its file."""

from __future__ import annotations

import contextlib
import dataclasses
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.files import cache_folder, replacing

MODELS = ("before", "after", "retrained")
PAIRS = (("before", "retrained"), ("after", "retrained"), ("before", "after"))
SIDES = ("forget", "test")
PHOTO_SETS = ("forget", "test", "retain")
KEPT = 50
"""Files on this machine, a few hundred kilobytes each; those not asked for longest make room."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Inside:
    """Numbers of three models (`MODELS`); not a number where the ideal's inside is not known, or
    where there are too few images.

    depths: names, from the image on; the last but one is "features", the last "answer".
    whole: whether whole classes are forgotten; then what is still known is asked on test images of
    them, else on the images to forget themselves. judged: how many.
    networks: of the ideal, that were looked into; 0 where none was.
    excess: (models, depths, 3), how much more often a fresh read-out is right about what was to be
    forgotten than about what it is compared with: value, low, high of its 95 % interval.
    right: (models, depths, 2), how often it is right about each of the two.
    away: (2, depths, 3), the excess before and now less the ideal's, image by image: likewise.
    alike: (pairs, 2, depths), linear CKA of `PAIRS` on the images to forget and on those to keep.
    moved: (depths,), how far the weights that lead there have moved, as a share of their length.
    share: (depths,), of the variance before that lies in the plane of the places.
    places: float32 (models, depths, photos, 2).
    photo_sets: int8 (photos,), an index into `PHOTO_SETS`. photos: int64 (photos,), the index of
    the image among the training or test images; labels: int64 (photos,).
    probabilities: float32 (models, photos, classes).
    named: int8 (models, depths, photos), whether the read-out is right about it, -1 where it was
    not asked, or is fitted on it.
    confusions: int64 (models, 2, classes, classes), of the images to forget and of all test images.
    """

    depths: NDArray[np.str_] = field(repr=False)
    whole: bool
    judged: int
    networks: int
    excess: Numbers = field(repr=False)
    right: Numbers = field(repr=False)
    away: Numbers = field(repr=False)
    alike: Numbers = field(repr=False)
    moved: Numbers = field(repr=False)
    share: Numbers = field(repr=False)
    places: NDArray[np.float32] = field(repr=False)
    photo_sets: NDArray[np.int8] = field(repr=False)
    photos: NDArray[np.int64] = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)
    probabilities: NDArray[np.float32] = field(repr=False)
    named: NDArray[np.int8] = field(repr=False)
    confusions: NDArray[np.int64] = field(repr=False)


def read_inside(name: str) -> Inside | None:
    """What was found under this name on this machine; None where nothing is, or it cannot be
    read."""
    file = _file(name)
    try:
        with np.load(file, allow_pickle=False) as arrays:
            values = {f.name: arrays[f.name] for f in dataclasses.fields(Inside)}
        with contextlib.suppress(OSError):
            file.touch()  # it is not the oldest any more
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    judged, networks = (int(values[name]) for name in ("judged", "networks"))
    single = {"whole": bool(values["whole"]), "judged": judged, "networks": networks}
    return Inside(**values | single)


def write_inside(name: str, inside: Inside) -> None:
    """Keeps what was found, atomically."""
    file = _file(name)
    arrays = {f.name: np.asarray(getattr(inside, f.name)) for f in dataclasses.fields(Inside)}
    with replacing(file) as part, part.open("wb") as content:
        np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
    others = sorted(file.parent.glob("*.npz"), key=lambda path: path.stat().st_mtime)
    for oldest in others[:-KEPT]:
        oldest.unlink(missing_ok=True)


def _file(name: str) -> Path:
    return cache_folder() / "inside" / f"{name}.npz"
