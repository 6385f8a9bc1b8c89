"""A model and a split in, every number out.

The model meets each image once, without augmentation; what it leaves behind is one loss and one
prediction an image (`Outcome`), and all metrics are made from those in numpy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from core.attacks.simple_mia import attack
from core.data.splits import Indices, Split
from core.metrics.histogram import overlap
from core.metrics.measures import Evaluation, Losses, Measure, wilson

if TYPE_CHECKING:
    from core.data.dataset import ImageDataset

CLASS_MATCHED_SUBSAMPLES = 10


@dataclass(frozen=True)
class Outcome:
    """What a model makes of a set of images, one entry an image.

    losses: float32 (N,), cross-entropy in nats; may be infinite or not a number where a model has
    diverged. predictions: int64 (N,), the class with the largest logit.
    """

    losses: Losses = field(repr=False)
    predictions: Indices = field(repr=False)

    @classmethod
    def of(cls, logits: Tensor, labels: Tensor) -> Outcome:
        """Of logits (N, classes) and int64 labels (N,)."""
        if not len(labels):
            return cls(np.zeros(0, np.float32), np.zeros(0, np.int64))
        losses = cross_entropy(logits, labels, reduction="none")
        return cls(losses.numpy(), logits.argmax(1).numpy())

    def at(self, which: Indices | slice) -> Outcome:
        """The outcomes of some of these images."""
        return Outcome(self.losses[which], self.predictions[which])


def per_image(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    batch_size: int = 64,
    device: torch.device | None = None,
    after_batch: Callable[[], None] | None = None,
) -> Outcome:
    """Loss and prediction of each image, in the order given; the rest is as in `logits_of`.

    labels: int64 (N,).
    """
    return Outcome.of(logits_of(model, images, batch_size, device, after_batch), labels)


def logits_of(
    model: nn.Module,
    images: Tensor,
    batch_size: int = 64,
    device: torch.device | None = None,
    after_batch: Callable[[], None] | None = None,
) -> Tensor:
    """float32 (N, classes) on the CPU, in the order given; never augments.

    images: uint8 (N, 3, 32, 32). device: where the model is, by default. batch_size: on a CPU 64 is
    a tenth faster than 256 and takes 175 MB less.
    after_batch: called after each batch; what it raises (`Cancelled`, say) ends the evaluation.
    Every part of the model is in evaluation mode meanwhile, and in its own mode again afterwards.
    """
    if device is None:
        device = next((p.device for p in model.parameters()), torch.device("cpu"))
    modes = [(module, module.training) for module in model.modules()]
    found = []
    model.eval()
    try:
        with torch.inference_mode():
            for some in images.split(batch_size):  # type: ignore[no-untyped-call]
                found.append(model(some.to(device)).float())
                if after_batch is not None:
                    after_batch()
        return torch.cat(found).cpu()
    finally:
        for module, training in modes:
            module.training = training


def evaluate(
    train: Outcome, test: Outcome, train_labels: Any, test_labels: Any, split: Split
) -> Evaluation:
    """All metrics of `split`, from a model's outcomes on all training and all test images.

    train_labels, test_labels: int64 (N,), arrays or tensors, in the order of the outcomes.
    """
    right = train.predictions == np.asarray(train_labels)
    test_right = test.predictions == np.asarray(test_labels)
    forget_losses = train.losses[split.forget]
    test_losses = test.losses[split.test]
    matched_losses = test.losses[split.test_class_matched]
    return Evaluation(
        forget_accuracy=_accuracy(right, split.forget),
        retain_accuracy=_accuracy(right, split.retain),
        test_accuracy=_accuracy(test_right, split.test),
        retained_test_accuracy=_accuracy(test_right, split.test_retained),
        class_matched_test_accuracy=_accuracy(test_right, split.test_class_matched),
        mia=attack(forget_losses, test_losses),
        mia_class_matched=attack(
            forget_losses, matched_losses, subsamples=CLASS_MATCHED_SUBSAMPLES
        ),
        overlap=overlap(forget_losses, test_losses),
        forget_losses=forget_losses,
        test_losses=test_losses,
        class_matched_losses=matched_losses,
        forget_correct=right[split.forget],
        retain_correct=right[split.retain],
        retained_test_correct=test_right[split.test_retained],
    )


def evaluate_model(
    model: nn.Module,
    dataset: ImageDataset,
    split: Split,
    after_batch: Callable[[], None] | None = None,
) -> Evaluation:
    """All metrics of `model` on `split`: one pass over all training and all test images."""
    train = per_image(model, dataset.train_images, dataset.train_labels, after_batch=after_batch)
    test = per_image(model, dataset.test_images, dataset.test_labels, after_batch=after_batch)
    return evaluate(train, test, dataset.train_labels, dataset.test_labels, split)


def _accuracy(right: NDArray[np.bool_], indices: Indices) -> Measure:
    return wilson(int(right[indices].sum()), len(indices))
