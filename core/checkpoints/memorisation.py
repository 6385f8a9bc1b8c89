"""The memorisation scores of a data set: which images a network learned late, and which it is right
about only where it has seen them.

They are the data set's, not an architecture's: the first models trained on these images give them,
and no later ones replace them, so that `memorised:N` is one forget set whatever is to forget it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from core.checkpoints.storage import AGAIN
from core.data.requests import FOLDS, SCORES, ForgetRequest
from core.data.splits import Split, fold_of_each, split
from core.errors import CheckpointCorrupt
from core.files import SHIPPED, cache_folder, replacing

if TYPE_CHECKING:
    from core.data.dataset import ImageDataset


PROXY = SCORES["memorised"]
"""1 minus the mean, over the epochs of the base's training, of the probability that the network
gave the image's label when it met it. High means learned late or only by heart. A learning-speed
proxy of the consistency score (Jiang et al. 2021, arXiv 2002.03206, section 5); it needs no further
training runs."""
LEAVE_OUT = SCORES["memorised-v2"]
"""The memorisation score itself (Feldman 2020, arXiv 1906.05271): by how much the probability of
the image's label is higher where the image was seen. -1 to 1; one model of ten folds did not see it
and nine did."""


def memorisation_file(dataset: ImageDataset, root: Path, name: str = PROXY) -> Path:
    """Where the scores of a data set lie below `models_cache` or the cache folder. Other images
    under the same name have a file of their own; other pixels of the same images in the same order
    (see `ImageDataset.index_order`) share it."""
    images = dataset.index_order or dataset.fingerprint[:16]
    return root / name / f"{dataset.name}-{images}.npy"


def memorisation_scores(dataset: ImageDataset, name: str = PROXY) -> NDArray[np.float16] | None:
    """The scores of that name, (N,), one number a training image, higher is more memorised; None
    where the models are missing that give them. Raises CheckpointCorrupt."""
    for root in (SHIPPED, cache_folder() / "models"):
        file = memorisation_file(dataset, root, name)
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


def split_of(dataset: ImageDataset, request: ForgetRequest) -> Split:
    """The index sets of a request, with the scores that it chooses by. Raises what
    `core.data.splits.split` does, and CheckpointCorrupt."""
    name = request.scores
    return split(dataset, request, memorisation_scores(dataset, name) if name else None)


def only_where_seen(losses: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
    """`LEAVE_OUT`, (N,), from the losses of all training images by the model of each fold."""
    confidence = np.exp(-np.stack(losses).astype(np.float64))
    unseen = confidence[fold_of_each(confidence.shape[1]), np.arange(confidence.shape[1])]
    seen = (confidence.sum(axis=0) - unseen) / (FOLDS - 1)
    found: NDArray[np.float32] = (seen - unseen).astype(np.float32)
    return found


def save_memorisation(
    scores: NDArray[np.float32], dataset: ImageDataset, root: Path, name: str = PROXY
) -> None:
    """Writes the scores of that name below `root`, unless the data set has them already."""
    file = memorisation_file(dataset, root, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_suffix(".lock")):
        if memorisation_scores(dataset, name) is None:
            with replacing(file) as part, part.open("wb") as content:
                np.save(content, scores.astype(np.float16))
    file.with_suffix(".lock").unlink(missing_ok=True)
