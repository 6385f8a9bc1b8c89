"""Deletions one after another, each from the weights that the last one left: requests come in over
time, and errors of a method may add up. Beside them stands one deletion of them all at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.data.dataset import ImageDataset
from core.data.requests import ForgetRequest
from core.data.splits import Split, split
from core.errors import BadRequest, EmptyForgetSet, EverythingForgotten
from core.models.classifier import Classifier
from core.unlearners.base import Steps, Unlearner, UnlearningData

Offer = Callable[[Classifier, Split], UnlearningData]
"""What a method is given for a split, with what is known of a network as it now stands
(`core.runs.offered_data.offering`)."""


def pieces(parts: Split, count: int, seed: int = 0) -> list[ForgetRequest]:
    """A forget set dealt at random into so many requests of about one size, which together are the
    same set. Raises BadRequest where it has fewer images than pieces."""
    if not 1 <= count <= len(parts.forget):
        raise BadRequest(
            f"{len(parts.forget):,} images cannot be forgotten in {count:,} deletions.",
            "Give a number of deletions from 1 to that many.",
        )
    order = np.random.default_rng(seed).permutation(parts.forget)
    return [ForgetRequest.of_indices(piece.tolist()) for piece in np.array_split(order, count)]


def deletions(
    dataset: ImageDataset,
    requests: Sequence[ForgetRequest],
    scores: NDArray[Any] | None = None,
) -> list[Split]:
    """The split of each request when its turn comes.

    What was deleted before is in neither part of a later split: it is not forgotten twice, and
    never learned again. Its test images are those of the whole request. scores: as for `split`.
    Raises what `split` raises, and EmptyForgetSet for a request of which nothing is left.
    """
    labels = dataset.train_labels.numpy()
    in_order, gone = [], np.empty(0, np.int64)
    for number, request in enumerate(requests, 1):
        parts = split(dataset, request, scores)
        forget = np.setdiff1d(parts.forget, gone)
        if not len(forget):
            raise EmptyForgetSet(
                f"Deletion {number} of this sequence is empty.", "Earlier ones have all of it."
            )
        gone = np.union1d(gone, forget)
        retain = np.setdiff1d(np.arange(len(labels)), gone)
        if not len(retain):
            raise EverythingForgotten(
                f"With deletion {number} of this sequence no image is left.",
                "Leave some for the model to keep.",
            )
        whole = tuple(np.setdiff1d(labels[forget], labels[retain]).tolist())
        in_order.append(
            dataclasses.replace(parts, forget=forget, retain=retain, whole_classes=whole)
        )
    return in_order


def in_turn(
    method: Unlearner, model: Classifier, splits: Sequence[Split], offer: Offer, seed: int = 0
) -> Steps:
    """Changes `model` in place so that it forgets one split after another; yields after each batch.
    seed: of the first one, each later one's is one more. Raises BadRequest where the method does
    not apply to one of them."""
    for number, parts in enumerate(splits):
        data = offer(model, parts)
        method.check(data)
        for step in method.run(model, data, torch.Generator().manual_seed(seed + number)):
            yield dataclasses.replace(step, phase=f"deletion {number + 1} of {len(splits)}")
