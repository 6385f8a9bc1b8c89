"""A few training photos without torch, for a front page that is there at once.

They come from the decoded images that an earlier load left in the cache; else from the digits that
scikit-learn brings along, read from its file, for importing it takes seconds too.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data.names import SIDE
from core.data.requests import ForgetRequest
from core.data.sources import data_folder, decoded
from core.data.splits import Indices, Split, split
from core.errors import LabError
from core.files import SHIPPED, cache_folder

Pixels = NDArray[np.uint8]


class Glimpse:
    """The decoded training images of a data set, as they lie on the disk; nothing is checked but
    their length, so they are for looking at. labels: int64 (n,)."""

    def __init__(self, name: str, file: Path) -> None:
        manifest = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        images, n, m = 3 * SIDE * SIDE, int(manifest["train"]), int(manifest["test"])
        content = np.memmap(file, np.uint8, mode="r")
        if len(content) != (n + m) * (images + 8):
            raise ValueError("wrong length")
        self._pixels = content[: n * images].reshape(n, 3, SIDE, SIDE)
        self.labels = np.array(content[n * images : n * (images + 8)].view("<i8"))
        self._test_labels = np.array(content[-8 * m :].view("<i8"))
        self.class_names = tuple(map(str, manifest["class_names"]))
        self._scores_file = f"{name}-{manifest['index_order'] or manifest['fingerprint'][:16]}.npy"

    def forget_set(self, request: ForgetRequest) -> Split:
        """What a request forgets. Raises LabError, or OSError without the scores it chooses by."""
        sides = (SimpleNamespace(numpy=lambda x=x: x) for x in (self.labels, self._test_labels))
        like: Any = SimpleNamespace(
            **dict(zip(("train_labels", "test_labels"), sides, strict=True)),
            class_names=self.class_names,
        )
        scores = np.load(SHIPPED / request.scores / self._scores_file) if request.scores else None
        return split(like, request, scores)

    def photos(self, indices: Indices) -> Pixels:
        """uint8 (n, 3, 32, 32)."""
        return np.array(self._pixels[indices])


def glimpse(name: str) -> Glimpse | None:
    """The decoded images of a data set; None where no load has left any."""
    try:
        folder, _ = data_folder(name, None, cache_folder())
        file = decoded(cache_folder(), name, folder)
        return Glimpse(name, file)
    except (OSError, ValueError, KeyError, TypeError, LabError):
        return None


def some_digits(count: int) -> tuple[Pixels, list[str]]:
    """Handwritten digits, uint8 (n, 3, 32, 32), the first of each kind, and which each is; none
    where scikit-learn's file is not where it was."""
    found = importlib.util.find_spec("sklearn")
    places = found.submodule_search_locations if found else None
    if not places:
        return np.zeros((0, 3, SIDE, SIDE), np.uint8), []
    file = Path(places[0]) / "datasets" / "data" / "digits.csv.gz"
    try:
        with gzip.open(file, "rt") as lines:
            rows = np.array([next(lines).split(",") for _ in range(count)], float)
    except (OSError, ValueError, StopIteration):
        return np.zeros((0, 3, SIDE, SIDE), np.uint8), []
    small = (rows[:, :64] * (255 / 16)).round().astype(np.uint8).reshape(-1, 1, 8, 8)
    large = small.repeat(SIDE // 8, axis=2).repeat(SIDE // 8, axis=3).repeat(3, axis=1)
    return large, [str(int(digit)) for digit in rows[:, 64]]
