"""What the removal of bad training data brings back: accuracy that wrong labels cost, and a
backdoor that no longer opens. The data are those of `core.data.poisoned`.

The question is that of corrective unlearning (Goel et al. 2024, arXiv 2402.14015): what counts is
not nearness to a retrained model but the harm undone.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from torch import Tensor, nn

from core.data.dataset import ImageDataset
from core.data.names import BACKDOOR, WRONG_LABELS
from core.data.poisoned import TARGET, patched
from core.data.requests import ForgetRequest
from core.errors import BadRequest
from core.evaluation import per_image
from core.metrics.differences import difference
from core.metrics.measures import Measure, Z, share_of


def bad_images(dataset: ImageDataset) -> ForgetRequest:
    """What is to be removed: the training images that were tampered with. Raises BadRequest for a
    data set without any."""
    if dataset.wrong_labels is None:
        raise BadRequest(
            "No training image of this data set is known to be wrong.",
            f"Such are in {WRONG_LABELS}, {BACKDOOR} and digits.",
        )
    return ForgetRequest.of_indices(np.flatnonzero(dataset.wrong_labels.numpy()).tolist())


def regained(clean: Measure, poisoned: Measure, after: Measure) -> Measure | None:
    """The share of what was lost that came back, (after - poisoned) / (clean - poisoned): 0 is
    nothing, 1 all of it, and it may lie below or above. None unless it is sure that something was
    lost (95 %).

    clean: the accuracy of a model trained without the bad data, or with them put right. poisoned:
    of the one trained on them. after: of that one once it forgot them. All three on the same test
    images and with `each`, for the interval is that of a ratio of two means, paired image by image
    (the delta method), with two images added on which the models differ, as `difference` does.
    """
    if difference(clean, poisoned)[0].low <= 0:
        return None
    right, lost, back = (m.each[0].astype(np.float64) for m in (clean, poisoned, after))
    loss = float((right - lost).mean())
    share = float((back - lost).mean()) / loss
    strayed = (back - lost) - share * (right - lost)  # whose mean is 0
    half = Z * math.sqrt((strayed**2).sum() + 1) / (len(right) + 2) / loss
    return Measure(share, share - half, share + half, len(right))


def backdoor_success(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    target: int = TARGET,
    after_batch: Callable[[], None] | None = None,
) -> Measure:
    """How many test images of other classes a model takes for the target once they carry the patch:
    the attack success rate of BadNets (Gu et al. 2017, arXiv 1708.06733). Lower is better, down to
    what a model has that never met the patch: by chance one of as many classes as there are, though
    a single network may take all for one of them, so that it is to be read beside the ideal's.

    images: uint8 (n, 3, s, s), without the patch. labels: int64 (n,). after_batch: as for
    `per_image`. The value is not a number where every image is of the target class.
    """
    others = labels != target
    if not bool(others.any()):
        return share_of(np.zeros(0, bool))
    shown = patched(images[others])
    outcome = per_image(model, shown, labels[others], after_batch=after_batch)
    return share_of(outcome.predictions == target)
