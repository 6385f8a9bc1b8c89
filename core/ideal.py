"""The ideal: what a model that never saw the forget set does.

A model that was retrained without exactly these images, where one is kept. Else, for scattered
images, it is put together from ten models, each trained without another tenth of the images (a
fold): every image has one among them that never saw it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.checkpoints import storage
from core.checkpoints.outcomes import evaluate_outcomes, outcomes
from core.checkpoints.references import fits
from core.checkpoints.storage import Checkpoint
from core.data.dataset import ImageDataset
from core.data.requests import FOLDS, ForgetRequest
from core.data.splits import Indices, Split, fold_of_each, split
from core.errors import CheckpointMissing
from core.evaluation import evaluate
from core.metrics.evidence import Outcome
from core.metrics.measures import Evaluation

LARGEST_SHARE = 0.2
"""Of a class, that may be forgotten for the folds to be an ideal: what is left of the class in a
fold's training must be about what a retraining would be left with."""


@dataclass(frozen=True)
class Ideal:
    """models: the one that was retrained without the forget set, or those of all folds in order."""

    models: tuple[Checkpoint, ...]

    @property
    def kind(self) -> Literal["retrained", "folds"]:
        return "retrained" if len(self.models) == 1 else "folds"

    @property
    def name(self) -> str:
        """What a run's record calls it: the sha256 of the weights, or "folds-" and a digest."""
        if self.kind == "retrained":
            return self.models[0].sha256
        together = "".join(model.sha256 for model in self.models)
        return f"folds-{hashlib.sha256(together.encode()).hexdigest()}"

    def evaluate(self, dataset: ImageDataset, parts: Split) -> Evaluation:
        """Every metric that can be read from it."""
        if self.kind == "retrained":
            return evaluate_outcomes(self.models[0], None, dataset, parts)
        measured = [outcomes(model, None, dataset) for model in self.models]
        train, test = put_together(measured, parts)
        return evaluate(train, test, dataset.train_labels, dataset.test_labels, parts)


def put_together(
    measured: Sequence[tuple[Outcome, Outcome]], parts: Split
) -> tuple[Outcome, Outcome]:
    """One outcome an image, from the training and test outcomes of the models of all folds.

    An image to forget is judged by the model of its own fold, which never saw it; one to keep by
    one of the others, and a test image by any, both drawn at random and always the same. (An
    average over models would be surer than any single one, and betray the forget set by that.)
    """
    n_train, n_test = (len(outcome.losses) for outcome in measured[0])
    draw = np.random.default_rng(0)
    judges = (fold_of_each(n_train) + draw.integers(1, FOLDS, n_train)) % FOLDS
    judges[parts.forget] = fold_of_each(n_train)[parts.forget]
    test_judges = draw.integers(0, FOLDS, n_test)
    return (
        _chosen([train for train, _ in measured], judges),
        _chosen([test for _, test in measured], test_judges),
    )


def _chosen(by_model: Sequence[Outcome], judges: Indices) -> Outcome:
    """Each image's outcome by the model that judges it."""
    together = Outcome.blank(len(judges), like=by_model[0])
    for fold, outcome in enumerate(by_model):
        images = np.flatnonzero(judges == fold)
        together.put(images, outcome.at(images))
    return together


def find_ideal(
    architecture: str, dataset: ImageDataset, parts: Split, other_than: int | None = None
) -> Ideal | None:
    """The ideal for a forget set: retrained where such a model is kept, else from the folds where
    these are and suit it. other_than: see `find_reference`."""
    if reference := find_reference(architecture, dataset, parts, other_than=other_than):
        return Ideal((reference,))
    return fold_ideal(architecture, dataset, parts)


def fold_ideal(architecture: str, dataset: ImageDataset, parts: Split) -> Ideal | None:
    """The ideal from the folds, where their models are and suit the forget set."""
    labels = dataset.train_labels.numpy()
    classes = len(dataset.class_names)
    forgotten = np.bincount(labels[parts.forget], minlength=classes)
    if (forgotten > LARGEST_SHARE * np.bincount(labels, minlength=classes)).any():
        return None
    models = []
    for fold in range(FOLDS):
        without = split(dataset, ForgetRequest.of_fold(fold))
        if without.digest == parts.digest:
            return None  # the one that never saw it is the only one, and is not to judge itself
        model = find_reference(architecture, dataset, without)
        if model is None:
            return None
        models.append(model)
    return Ideal(tuple(models))


def find_reference(
    architecture: str,
    dataset: ImageDataset,
    parts: Split,
    seed: int | None = None,
    other_than: int | None = None,
) -> Checkpoint | None:
    """A model retrained on these images without this forget set, shipped or kept by this machine,
    if any.

    seed: only one trained from this seed; two of them tell how far two retrainings lie apart. By
    default the usual seed's, else the lowest there is. other_than: never one from this seed, so
    that a retraining is not judged against itself.
    """
    if seed is None:
        seeds = storage.retrained_seeds(architecture, dataset.name, parts.digest)
    else:
        seeds = [seed]
    for candidate in seeds:
        if candidate == other_than:
            continue
        role = storage.retrained_role(parts.digest, candidate)
        try:
            reference = storage.find(architecture, dataset.name, role)
        except CheckpointMissing:
            continue
        if fits(reference, dataset):
            return reference
    return None
