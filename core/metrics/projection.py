"""A plane in which the features of several networks can be seen together.

The axes are those of one network (principal components). Another network has features of its own,
in which the same axes mean nothing, be it as like the first as two trainings are. So it is turned
first: by the similarity (turn, scale, shift) that brings certain images, those that nobody wanted
changed, nearest to where the first network has them (orthogonal Procrustes, Schoenemann 1966).
Where other images lie then, is the network's own doing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


UNSEEN = 1e-9
"""Of the largest singular value: directions in which the images that a turn goes by show less than
this stay as they are."""


@dataclass(frozen=True)
class Plane:
    """middle: (d,). axes: (d, 2), orthonormal; the second is 0 where the features have but one
    dimension. share: of the variance, that lies in it, 0 to 1."""

    middle: Floats = field(repr=False)
    axes: Floats = field(repr=False)
    share: float

    def places(self, features: Floats) -> Floats:
        """Where features (n, d) lie in it, (n, 2)."""
        return (features - self.middle) @ self.axes


def plane_of(features: Floats) -> Plane:
    """The plane of the first two principal components of features (n, d), n at least 2. An axis
    points to where its largest component is positive, so that it is always the same."""
    middle = features.mean(axis=0)
    _, sizes, directions = np.linalg.svd(features - middle, full_matrices=False)
    axes = np.zeros((features.shape[1], 2))
    found = directions[:2].T
    signs = np.sign(found[np.abs(found).argmax(axis=0), range(found.shape[1])])
    axes[:, : found.shape[1]] = found * np.where(signs == 0, 1.0, signs)
    variance = float(np.square(sizes).sum())
    return Plane(middle, axes, float(np.square(sizes[:2]).sum()) / variance if variance else 1.0)


def turned_to(features: Floats, own: Floats, others: Floats) -> Floats:
    """Features of one network as another has them, as near as a turn, a scale and a shift bring
    those of some images. features: (n, d), to be turned. own, others: (m, d), of the same images in
    the two networks. Returns (n, d)."""
    start, goal = own.mean(axis=0), others.mean(axis=0)
    length = float(np.square(own - start).sum())
    shared = (own - start).T @ (others - goal)
    stay = UNSEEN * np.linalg.norm(shared, 2) * np.eye(len(shared))
    left, sizes, right = np.linalg.svd(shared + stay)
    scale = float(sizes.sum()) / length if length else 0.0
    turned: Floats = scale * (features - start) @ (left @ right) + goal
    return turned
