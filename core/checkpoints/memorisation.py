"""The memorisation scores of a data set: which images were learned late or only by heart."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from core.checkpoints.storage import AGAIN
from core.errors import CheckpointCorrupt
from core.files import SHIPPED, cache_folder, replacing

if TYPE_CHECKING:
    from core.data.dataset import ImageDataset


MEMORISATION = "memorisation-v1"
"""The score that `memorised:N` sorts by: 1 minus the mean, over the epochs of the base's training,
of the probability that the network gave the image's label when it met it. High means learned late
or only by heart. A learning-speed proxy of the consistency score (Jiang et al. 2021, arXiv
2002.03206, section 5); it needs no further training runs.

It is the data set's, not an architecture's: the first base trained on these images gives it, and no
later one replaces it, so that `memorised:N` is one forget set whatever is to forget it."""


def memorisation_file(dataset: ImageDataset, root: Path) -> Path:
    """Where the scores of a data set lie below `models_cache` or the cache folder. Other images
    under the same name have a file of their own; other pixels of the same images in the same order
    (see `ImageDataset.index_order`) share it."""
    images = dataset.index_order or dataset.fingerprint[:16]
    return root / MEMORISATION / f"{dataset.name}-{images}.npy"


def memorisation_scores(dataset: ImageDataset) -> NDArray[np.float16] | None:
    """`memorisation-v1`, (N,), one number a training image in 0 to 1, higher is more memorised;
    None where no base has been trained on these images. Raises CheckpointCorrupt."""
    for root in (SHIPPED, cache_folder() / "models"):
        file = memorisation_file(dataset, root)
        if file.exists():
            try:
                scores: NDArray[np.float16] = np.load(file, allow_pickle=False)
                if not isinstance(scores, np.ndarray) or scores.ndim != 1:
                    raise ValueError("not one number an image")
                if scores.dtype.kind != "f" or not np.isfinite(scores).all():
                    raise ValueError("not numbers")
            except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
                raise CheckpointCorrupt(
                    f"The memorisation scores in {file.name} cannot be read.", AGAIN
                ) from error
            return scores
    return None


def save_memorisation(learned: NDArray[np.float32], dataset: ImageDataset, root: Path) -> None:
    """Writes `memorisation-v1` below `root` from what `core.training.loop` gives as `learned`,
    unless the data set has its scores already."""
    file = memorisation_file(dataset, root)
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_suffix(".lock")):
        if memorisation_scores(dataset) is None:
            with replacing(file) as part, part.open("wb") as content:
                np.save(content, (1 - learned).astype(np.float16))
    file.with_suffix(".lock").unlink(missing_ok=True)
