"""What a source of images holds: labels at once, pixels in batches."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.data.names import SIDE
from core.errors import DataCorrupt

Pixels = NDArray[np.uint8]


Labels = NDArray[np.int64]


BATCH = 1000


AGAIN = "Get the file again."


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


def decode_images(content: bytes, what: str) -> Pixels:
    """An encoded image as uint8 (3, 32, 32), resized where it has another size."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            picture = image.convert("RGB")
    except Exception as error:  # PIL raises whatever its plug-ins stumble over
        raise DataCorrupt(f"{what} is not an image that can be read.", AGAIN) from error
    if picture.size != (SIDE, SIDE):
        picture = picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.asarray(picture, np.uint8).transpose(2, 0, 1)
