"""A data set by its name: images as uint8 tensors.

The sources, in this order: a folder that is named (see `core.data.sources`), what an earlier
download left in the cache (see `core.data.download`), and, under the name "digits", scikit-learn's
handwritten digits, which need neither. Nothing is ever downloaded from here.
"""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock

from core.data.dataset import ImageDataset
from core.data.decoded import read_decoded, write_decoded
from core.data.digits import digits
from core.data.download import DownloadProgress, download
from core.data.names import BACKDOOR, CIFAR10_CLASSES, TUNING, WRONG_LABELS
from core.data.sources import available, data_folder, decoded, find_source
from core.data.views import tampered_with, tuning_view
from core.errors import DataCorrupt, DataMissing, LabError
from core.files import cache_folder

__all__ = [
    "CIFAR10_CLASSES",
    "DownloadProgress",
    "ImageDataset",
    "available",
    "cache_folder",
    "download",
    "load_dataset",
]


def load_dataset(
    name: str, folder: str | Path | None = None, cache: Path | None = None
) -> ImageDataset:
    """The data set `name`: "digits", "cifar10", or any name for a folder of images of your own.

    "cifar10-tuning" is made from the folder of "cifar10": 45,000 of its training images, and the
    other 5,000 (500 of each class) as test images. "cifar10-wrong-labels" and "cifar10-backdoor"
    are CIFAR-10 with some training images tampered with, see `core.data.poisoned`.
    folder: where the images are; without it the environment's FORGETTING_LAB_DATA, then what a
    download left in the cache. "digits" needs none and ignores it.
    cache: the cache folder, by default `cache_folder()`.
    Raises DataMissing, DataCorrupt, or LabError where the cache cannot be written.
    """
    if name == "digits":
        return digits()
    if name in (TUNING, WRONG_LABELS, BACKDOOR):
        whole = load_dataset("cifar10", folder, cache)
        return tuning_view(whole) if name == TUNING else tampered_with(whole, name)
    cache = cache_folder() if cache is None else cache
    location, named = data_folder(name, folder, cache)
    slot = decoded(cache, name, location)
    try:
        source = find_source(location, name)
    except DataMissing as error:
        if named:
            raise
        # A download's own files may be gone, its decoded images are as good.
        if not slot.with_suffix(".json").exists():
            raise DataMissing(
                f"{_title(name)} is not on this machine.",
                "Download it, or name its folder with --data or FORGETTING_LAB_DATA.",
            ) from error
        dataset = read_decoded(slot, None)
        if dataset is None:
            raise DataCorrupt(
                f"The decoded {_title(name)} images in the cache are damaged, "
                "and the files they came from are gone.",
                "Download them again.",
            ) from error
        return dataset
    try:
        key = source.key()
        dataset = read_decoded(slot, key)
        if dataset is not None:
            return dataset
        slot.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(slot.with_suffix(".lock")):
            # Another process may have decoded the same folder meanwhile.
            dataset = read_decoded(slot, key)
            if dataset is None:
                write_decoded(slot, name, source, key)
                dataset = read_decoded(slot, key)
    except OSError as error:
        raise LabError(
            f"The images of {location} cannot be read or kept in {slot.parent} ({error.strerror}).",
            "Check space and permissions, or set FORGETTING_LAB_CACHE to another folder.",
        ) from error
    if dataset is None:
        raise LabError(
            f"The images decoded into {slot.parent} do not read back as written.",
            "Check the disk, or set FORGETTING_LAB_CACHE to another folder.",
        )
    return dataset


def _title(name: str) -> str:
    return "CIFAR-10" if name == "cifar10" else f"The data set {name!r}"
