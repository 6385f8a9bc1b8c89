"""The probabilistic models by name, and the rows that each reads of a data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from numpy.typing import NDArray

from core.checkpoints import storage
from core.checkpoints.records import Side, stored_features
from core.checkpoints.storage import Checkpoint
from core.curvature.products import finish
from core.data.dataset import ImageDataset
from core.data.digits import digit_pixels
from core.errors import BadRequest, short
from core.graphical.discriminant import GaussianDiscriminant
from core.graphical.hidden import Hmm, Mixture
from core.graphical.logistic import Logistic
from core.graphical.model import Model, Rows
from core.graphical.naive_bayes import CategoricalNaiveBayes, GaussianNaiveBayes
from core.graphical.trees import ChowLiu, TreeAugmented
from core.models.precision import best_device

MODELS: dict[str, type[Model]] = {
    model.name: model
    for model in (
        GaussianNaiveBayes,
        CategoricalNaiveBayes,
        ChowLiu,
        TreeAugmented,
        GaussianDiscriminant,
        Mixture,
        Hmm,
        Logistic,
    )
}
"""Those made of sums first."""
NETWORK = "compact"
"""Whose features the discriminant is on."""


@dataclass(frozen=True, eq=False)
class Sides:
    """A data set's images to train and to test as a model reads them."""

    train: Rows
    test: Rows


def model_of(name: str, dataset: str) -> type[Model]:
    """A model by its name. Raises BadRequest where there is none, or not for this data set."""
    if name not in MODELS:
        raise BadRequest(f"There is no model {short(name)}.", f"There are {', '.join(MODELS)}.")
    model = MODELS[name]
    if dataset != "digits" and not issubclass(model, GaussianDiscriminant):
        raise BadRequest(
            f"{name} reads the 8 x 8 pixels of the digits, not {short(dataset)}.",
            "Use --dataset digits.",
        )
    return model


def sides(
    model: type[Model], dataset: ImageDataset, after_batch: Callable[[], None] | None = None
) -> Sides:
    """What a model reads of a data set: the digits' own pixels, or the features of the base that
    was trained on it. after_batch: see `core.evaluation.logits_of`.

    Raises CheckpointMissing where there is no base.
    """
    if issubclass(model, GaussianDiscriminant):
        return features_of(storage.find(NETWORK, dataset.name), dataset, after_batch)
    return _sides(dataset, *digit_pixels())


def features_of(
    network: Checkpoint, dataset: ImageDataset, after_batch: Callable[[], None] | None = None
) -> Sides:
    """What a network that stays as it is makes of the images; kept on this machine. Raises
    CheckpointMissing where only its answers are kept."""
    model = network.load(best_device())
    train, test = (
        finish(
            stored_features(network, model, dataset, side), lambda _: after_batch and after_batch()
        )
        for side in get_args(Side)
    )
    return _sides(dataset, train, test)


def _sides(dataset: ImageDataset, train: NDArray[Any], test: NDArray[Any]) -> Sides:
    labels = dataset.train_labels.numpy(), dataset.test_labels.numpy()
    return Sides(Rows(train, labels[0]), Rows(test, labels[1]))
