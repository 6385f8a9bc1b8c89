"""What a model does with every image, the images that the verdict needs first.

A verdict is read from the forget set and the test images; those to keep are most of all and come
after it, so that nobody waits for them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from core.data.dataset import ImageDataset
from core.data.splits import Split
from core.evaluation import evaluate, per_image
from core.metrics.evidence import Features, Outcome
from core.metrics.measures import Evaluation
from core.metrics.registry import METRICS

STAGE = 2_000
"""Images to keep that are measured between two signs of progress."""


def in_stages(
    model: nn.Module, dataset: ImageDataset, parts: Split
) -> Iterator[tuple[Outcome, Outcome, float]]:
    """Outcomes on all training and all test images as far as they are measured, and the share
    measured: first the forget set and the test images, then more and more of those to keep. An
    image not measured yet has the loss NaN and the prediction -1."""
    labels = dataset.train_labels
    test = per_image(model, dataset.test_images, dataset.test_labels)
    train = Outcome.blank(len(labels), like=test)
    done, total = len(test.losses), len(test.losses) + len(labels)
    cuts = range(STAGE, len(parts.retain), STAGE)
    for chosen in (parts.forget, *np.split(parts.retain, cuts)):
        indices = torch.from_numpy(chosen)
        outcome = per_image(model, dataset.train_images[indices], labels[indices])
        train.put(chosen, outcome)
        done += len(chosen)
        yield train, test, done / total


def evaluate_first(
    train: Outcome,
    test: Outcome,
    dataset: ImageDataset,
    parts: Split,
    features: Features | None = None,
) -> Iterator[Evaluation]:
    """What can be read after the first stage: at once all that the verdict is read from, then the
    slow metrics too. The accuracy on the retain set is not known."""
    known = dataclasses.replace(parts, retain=parts.retain[:0])
    labels = dataset.train_labels, dataset.test_labels
    quick = [metric for metric in METRICS.values() if not metric.slow]
    yield evaluate(train, test, *labels, known, features, quick)
    yield evaluate(train, test, *labels, known, features)
