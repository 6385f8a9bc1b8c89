"""The last layer of a saved model, refitted to its optimum over the model's own features."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from core.checkpoints.records import stored_features
from core.checkpoints.storage import Checkpoint
from core.curvature.head import head_weights
from core.curvature.head_fit import FittedHead, fit_head
from core.curvature.products import telling
from core.data.dataset import ImageDataset
from core.errors import BadRequest
from core.models.classifier import Classifier
from core.models.recipe import Recipe
from core.models.registry import recipe_of


@dataclass(frozen=True)
class Progress:
    """done of total: images whose features are read, then batches of the fit."""

    phase: Literal["features", "fit"]
    done: int
    total: int


def fitted_head(
    base: Checkpoint, model: Classifier, dataset: ImageDataset
) -> Generator[Progress, None, FittedHead]:
    """The head of `model` at its optimum on all training images of the data set, as they are.

    The features are read once a model and kept (`core.checkpoints.records`). Raises BadRequest for
    an ensemble, which has no single head.
    """
    if not hasattr(model, "head"):
        raise BadRequest(
            "An ensemble has no single last layer, so its influence is not defined here.",
            "Take a single network.",
        )
    table = yield from telling(
        stored_features(base, model, dataset), lambda step: Progress("features", *step)
    )
    rows, l2 = torch.from_numpy(np.array(table)), penalty(base, dataset)
    fitting = fit_head(rows, dataset.train_labels, l2, head_weights(model.head))
    return (yield from telling(fitting, lambda step: Progress("fit", *step)))


def penalty(base: Checkpoint, dataset: ImageDataset) -> float:
    """l2 of the summed loss: the weight decay that the model was trained with, which is of the mean
    loss, times the images; the usual one for a model trained without."""
    decay = recipe_of(base.manifest, dataset.name).weight_decay or Recipe.weight_decay
    return decay * len(dataset.train_labels)
