"""The index sets that a forget request stands for, in one data set: which training images are
forgotten, which are retained, and which test images stand beside them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.data.requests import FOLDS, ForgetRequest
from core.errors import (
    BadRequest,
    EmptyForgetSet,
    EverythingForgotten,
    IndexOutOfRange,
    UnknownClass,
)

if TYPE_CHECKING:
    from core.data.dataset import ImageDataset


Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Index sets, each sorted: `forget` and `retain` partition the training images, the others
    are views of the test images.

    test: all of them. test_class_matched: the class mix of the forget set, as many of each class
    as the forget set has, or as the test set affords in the same proportions. test_retained: the
    classes of which some training image is retained. by_class: whether the request is for classes
    or single images, beside which only test images of the same classes are a fair comparison.
    whole_classes: those of which no training image is retained.
    """

    forget: Indices
    retain: Indices
    test: Indices
    test_class_matched: Indices
    test_retained: Indices
    by_class: bool = False
    whole_classes: tuple[int, ...] = ()

    @property
    def test_fair(self) -> Indices:
        """The test images that the forget set is compared with."""
        return self.test_class_matched if self.by_class else self.test

    @property
    def digest(self) -> str:
        """Names the forget set: sha256 of its indices, 16 hexadecimal digits."""
        return _digest(self.forget)

    @property
    def judged(self) -> str:
        """Names all that a model is judged on: the forget set and the test images beside it."""
        return _digest(self.forget, self.test_fair, self.test_retained)


def _digest(*sets: Indices) -> str:
    """sha256 of index sets, 16 hexadecimal digits."""
    named = hashlib.sha256()
    for position, indices in enumerate(sets):
        named.update(b"/" * position + indices.astype("<i8").tobytes())
    return named.hexdigest()[:16]


def split(
    dataset: ImageDataset, request: ForgetRequest, scores: NDArray[Any] | None = None
) -> Split:
    """The index sets of `request` on `dataset`.

    scores: those that the request names (`ForgetRequest.scores`), one number a training image,
    higher is more memorised; see `core.checkpoints.memorisation.split_of`.
    Raises EmptyForgetSet, EverythingForgotten, IndexOutOfRange, UnknownClass or BadRequest.
    """
    labels = dataset.train_labels.numpy()
    test_labels = dataset.test_labels.numpy()
    n = len(labels)
    forget = np.unique(_forget_indices(labels, dataset.class_names, request, scores))
    if not len(forget):
        raise EmptyForgetSet("This forget set is empty.", "Choose at least one image to forget.")
    if len(forget) == n:
        raise EverythingForgotten(
            f"This forgets all {n:,} training images.", "Leave some for the model to keep."
        )
    retain = np.setdiff1d(np.arange(n), forget, assume_unique=True)
    return Split(
        forget=forget,
        retain=retain,
        test=np.arange(len(test_labels)),
        test_class_matched=class_matched(labels[forget], test_labels, request.seed),
        test_retained=np.flatnonzero(np.isin(test_labels, np.unique(labels[retain]))),
        by_class=request.class_matched,
        whole_classes=tuple(np.setdiff1d(labels[forget], labels[retain]).tolist()),
    )


def _forget_indices(
    labels: Indices,
    class_names: tuple[str, ...],
    request: ForgetRequest,
    scores: NDArray[Any] | None,
) -> Indices:
    n = len(labels)
    if request.kind == "random":
        count = request.count if request.fraction is None else round(request.fraction * n)
        assert count is not None
        if count > n:
            raise BadRequest(f"{count:,} images are asked for, but there are only {n:,}.")
        return np.random.default_rng(request.seed).permutation(n)[:count]
    if request.kind == "classes":
        chosen = []
        for name in request.classes:
            if name not in class_names:
                raise UnknownClass(
                    f"There is no class {name!r}.", f"The classes are {', '.join(class_names)}."
                )
            label = class_names.index(name)
            members = np.flatnonzero(labels == label)
            if request.fraction is not None:
                # A stream for each class: the order in which they are named does not matter.
                draw = np.random.default_rng((request.seed, label))
                members = draw.permutation(members)[: round(request.fraction * len(members))]
            chosen.append(members)
        return np.concatenate(chosen)
    if request.scores:
        assert request.count is not None
        if scores is None or len(scores) != n:
            raise BadRequest(
                f"There are no memorisation scores for these images ({request.scores}).",
                "Those of version 1 come with a base, those of version 2 with models of all folds.",
            )
        if request.count > n:
            raise BadRequest(f"{request.count:,} images are asked for, but there are only {n:,}.")
        return np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")[: request.count]
    if request.kind == "fold":
        return np.flatnonzero(fold_of_each(n) == request.fold)
    for index in request.indices:
        if not 0 <= index < n:
            raise IndexOutOfRange(
                f"There is no training image {index}.", f"Indices run from 0 to {n - 1:,}."
            )
    return np.asarray(request.indices, dtype=np.int64)


def fold_of_each(images: int) -> Indices:
    """int64 (images,): the fold of each training image, 0 to `FOLDS` - 1. The same for all data
    sets of one size, once and for all."""
    order = np.random.default_rng(0).permutation(images)
    folds = np.empty(images, np.int64)
    for fold, members in enumerate(np.array_split(order, FOLDS)):
        folds[members] = fold
    return folds


def drawn(indices: Indices, most: int) -> Indices:
    """At most so many of these, the same each time, in order."""
    return np.sort(np.random.default_rng(0).permutation(indices)[:most])


def class_matched(forget_labels: Indices, test_labels: Indices, seed: int) -> Indices:
    """As many test images of each class as the forget set has, scaled down alike where too few."""
    draw = np.random.default_rng(seed)
    classes, wanted = np.unique(forget_labels, return_counts=True)
    members = [np.flatnonzero(test_labels == label) for label in classes]
    scale = min([1.0, *(len(m) / w for m, w in zip(members, wanted, strict=True) if len(m))])
    picked = [
        draw.permutation(m)[: max(1, round(scale * w))]
        for m, w in zip(members, wanted, strict=True)
    ]
    return np.sort(np.concatenate(picked))
