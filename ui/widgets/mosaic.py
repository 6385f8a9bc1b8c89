"""Several images as one picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ACROSS = 10


def mosaic(images: NDArray[np.uint8], scale: int = 1) -> NDArray[np.uint8]:
    """uint8 (n, 3, 32, 32) as one picture (height, width, 3), `ACROSS` to a row, black where none.

    scale: how many pixels each one becomes, across and down.
    """
    n, rows = len(images), -(-len(images) // ACROSS)
    across = min(n, ACROSS) if rows == 1 else ACROSS
    cells = np.zeros((rows * across, 3, 32, 32), np.uint8)
    cells[:n] = images
    whole = cells.reshape(rows, across, 3, 32, 32).transpose(0, 3, 1, 4, 2)
    picture = whole.reshape(rows * 32, across * 32, 3)
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)


def enlarged(image: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """uint8 (3, 32, 32) as a picture (height, width, 3), each pixel `scale` wide and high."""
    return image.transpose(1, 2, 0).repeat(scale, axis=0).repeat(scale, axis=1)
