"""The ideal: what a model that never saw the forget set does.

A model that was retrained without exactly these images, where one is kept. Else, for scattered
images, it is put together from ten models, each trained without another tenth of the images (a
fold): every image has one among them that never saw it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from core.checkpoints import memorisation, storage
from core.checkpoints.fold_samples import samples_of_folds
from core.checkpoints.outcomes import evidence_of, outcomes, samples_of
from core.checkpoints.references import fits
from core.checkpoints.storage import Checkpoint
from core.data.dataset import ImageDataset
from core.data.requests import FOLDS, ForgetRequest
from core.data.splits import Indices, Split, fold_of_each, split
from core.errors import CheckpointMissing
from core.metrics.evidence import Evidence, Outcome, Samples
from core.models.registry import recipe_of

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

    def evidence(
        self,
        dataset: ImageDataset,
        parts: Split,
        references: tuple[Outcome, Outcome] | None = None,
        inside: bool = True,
    ) -> Evidence:
        """All that it leaves behind. references, inside: as for `evidence_of`."""
        if self.kind == "retrained":
            model = self.models[0]
            return evidence_of(model, None, dataset, parts, references, inside=inside)
        train, test = put_together(self._measured(dataset), *judges_of(dataset, parts))
        labels = dataset.train_labels.numpy(), dataset.test_labels.numpy()
        samples = self.samples(dataset, parts) if inside else None
        return Evidence(train, test, *labels, parts, samples, references)

    def samples(self, dataset: ImageDataset, parts: Split) -> Samples | None:
        """What a look inside shows; None where no weights are kept."""
        if self.kind == "folds":
            return samples_of_folds(self.models, dataset, parts, judges_of(dataset, parts)[1])
        return samples_of(self.models[0], None, dataset, parts)

    def _measured(self, dataset: ImageDataset) -> list[tuple[Outcome, Outcome]]:
        return [outcomes(model, None, dataset) for model in self.models]

    def references(self, dataset: ImageDataset, parts: Split) -> tuple[Outcome, Outcome]:
        """Of every training image what the model of its own fold makes of it, which never saw it,
        and of each test image what its judge does (see `judges_of`)."""
        own = fold_of_each(len(dataset.train_labels))
        return put_together(self._measured(dataset), own, judges_of(dataset, parts)[1])


def judges_of(dataset: ImageDataset, parts: Split) -> tuple[Indices, Indices]:
    """The fold whose model judges each training and each test image in the ideal.

    An image to forget is judged by the model of its own fold, which never saw it; one to keep by
    one of the others, and a test image by that of some image to forget, so that both sides have the
    same judges; these are drawn at random and always the same. (An average over models would be
    surer than any single one, and betray the forget set by that.)
    """
    own = fold_of_each(len(dataset.train_labels))
    draw = np.random.default_rng(0)
    judges = (own + draw.integers(1, FOLDS, len(own))) % FOLDS
    judges[parts.forget] = own[parts.forget]
    return judges, draw.choice(own[parts.forget], len(dataset.test_labels))


def put_together(
    measured: Sequence[tuple[Outcome, Outcome]], of_train: Indices, of_test: Indices
) -> tuple[Outcome, Outcome]:
    """One outcome an image, from the training and test outcomes of the models of all folds, each
    from the fold that is named for it."""
    return (
        _chosen([train for train, _ in measured], of_train),
        _chosen([test for _, test in measured], of_test),
    )


def _chosen(by_model: Sequence[Outcome], judges: Indices) -> Outcome:
    """Each image's outcome by the model that judges it."""
    logits = by_model[0].logits
    together = Outcome.blank(len(judges), None if logits is None else logits.shape[1])
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
    folds = fold_models(architecture, dataset)
    if folds is not None and parts.digest in [_without(dataset, f).digest for f in range(FOLDS)]:
        return None  # the one that never saw it is the only one, and is not to judge itself
    return folds


def fold_models(architecture: str, dataset: ImageDataset) -> Ideal | None:
    """The models of all folds, None unless each is there."""
    models = []
    for fold in range(FOLDS):
        model = find_reference(architecture, dataset, _without(dataset, fold))
        if model is None:
            return None
        models.append(model)
    return Ideal(tuple(models))


def keep_memorisation(architecture: str, dataset: ImageDataset, root: Path) -> None:
    """Writes below `root` which images a network is right about only where it has seen them, once
    the models of all folds are there and nobody has written it yet."""
    if memorisation.memorisation_scores(dataset, memorisation.LEAVE_OUT) is not None:
        return
    if folds := fold_models(architecture, dataset):
        losses = [outcomes(model, None, dataset)[0].losses for model in folds.models]
        scores = memorisation.only_where_seen(losses)
        memorisation.save_memorisation(scores, dataset, root, memorisation.LEAVE_OUT)


def _without(dataset: ImageDataset, fold: int) -> Split:
    return split(dataset, ForgetRequest.of_fold(fold))


def find_reference(
    architecture: str,
    dataset: ImageDataset,
    parts: Split,
    seed: int | None = None,
    other_than: int | None = None,
) -> Checkpoint | None:
    """A model retrained on these images without this forget set by the base's recipe, shipped or
    kept by this machine, if any.

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
        if fits(reference, dataset) and _like_the_base(reference, dataset):
            return reference
    return None


def _like_the_base(reference: Checkpoint, dataset: ImageDataset) -> bool:
    """Whether both were trained by the same recipe, so that they differ in the images alone."""
    try:
        base = storage.find(str(reference.manifest["architecture"]), dataset.name)
    except CheckpointMissing:
        return True
    recipes = [recipe_of(model.manifest, dataset.name) for model in (reference, base)]
    return recipes[0] == recipes[1]
