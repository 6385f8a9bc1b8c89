"""What a look inside shows of an ideal that is put together from the networks of all folds.

Features of different networks are not comparable, so each row says whose it is: an image to forget
is looked at in the network of its own fold, which never saw it, a test image in that of its judge,
and every network has images of its own to keep, from which a read-out of it can be fitted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.checkpoints.samples import kept_samples
from core.checkpoints.storage import Checkpoint
from core.data.dataset import ImageDataset
from core.data.splits import Indices, Split, drawn, fold_of_each
from core.evaluation import MIRRORED, SAMPLED, logits_of, per_image
from core.metrics.evidence import Outcome, Sample, Samples, Seen
from core.models.classifier import Classifier
from core.models.precision import best_device

Features = NDArray[np.float32]


def samples_of_folds(
    models: Sequence[Checkpoint], dataset: ImageDataset, parts: Split, test_judges: Indices
) -> Samples | None:
    """Of the models of all folds, in order, the same images as of any model that is judged by
    `parts`; kept on this machine. test_judges: int64 (test images,), the fold that looks at each.
    None where a model was kept without weights."""
    if any(model.manifest.get("keep") == "logits" for model in models):
        return None
    images = dataset.fingerprint[:16]
    together = hashlib.sha256("".join(model.sha256 for model in models).encode()).hexdigest()
    looks = kept_samples(
        f"folds-{together[:16]}-{images}-{parts.judged}",
        lambda: _looks(models, dataset, parts, test_judges),
    )
    pools = []
    for fold, model in enumerate(models):
        pool = _pool(dataset, fold)
        kept = kept_samples(
            f"pool-{model.sha256[:16]}-{images}",
            partial(_whole, model, dataset, pool),
        )
        assert kept is not None
        stays = ~np.isin(pool, parts.forget)
        seen = kept["retain"]
        pools.append((seen.labels[stays], seen.features[stays], np.full(stays.sum(), fold)))
    assert looks is not None
    labels, features, folds = (np.concatenate(each) for each in zip(*pools, strict=True))
    retain = Sample(labels, features, model=folds)
    return {**looks, "retain": retain, "test_retained": looks["test"]}


def _pool(dataset: ImageDataset, fold: int) -> Indices:
    """Images that this fold's network was trained on; which of them are kept says the request."""
    return drawn(np.flatnonzero(fold_of_each(len(dataset.train_labels)) != fold), SAMPLED["retain"])


def _whole(checkpoint: Checkpoint, dataset: ImageDataset, indices: Indices) -> Samples:
    """These training images, which are kept, in one network."""
    chosen = torch.from_numpy(indices)
    features = _features(checkpoint.load(best_device()), dataset.train_images[chosen])
    return {"retain": Sample(dataset.train_labels[chosen].numpy(), features)}


def _features(model: Classifier, images: Tensor) -> Features:
    found: Features = logits_of(model, images, read=model.features).numpy()
    return found


def _looks(
    models: Sequence[Checkpoint], dataset: ImageDataset, parts: Split, test_judges: Indices
) -> Samples:
    """The images to forget and the test images, each in its judge."""
    own = fold_of_each(len(dataset.train_labels))
    train = dataset.train_images, dataset.train_labels, own
    test = dataset.test_images, dataset.test_labels, test_judges
    return {
        "forget": _judged(models, *train, drawn(parts.forget, SAMPLED["forget"]), "forget"),
        "test": _judged(models, *test, drawn(parts.test_fair, SAMPLED["test"]), "test"),
    }


def _judged(
    models: Sequence[Checkpoint],
    images: Tensor,
    labels: Tensor,
    judges: Indices,
    chosen: Indices,
    name: str,
) -> Sample:
    """A sample in which each image is looked at, and its mirror image judged, by its judge."""
    some = drawn(np.arange(len(chosen)), MIRRORED[name])
    rows, features = [], []
    mirrored: Outcome | None = None
    for fold in np.unique(judges[chosen]):
        model = models[fold].load(best_device())
        mine = np.flatnonzero(judges[chosen] == fold)
        rows.append(mine)
        features.append(_features(model, images[torch.from_numpy(chosen[mine])]))
        places = np.flatnonzero(judges[chosen[some]] == fold)
        turned = torch.from_numpy(chosen[some][places])
        outcome = per_image(model, images[turned].flip(-1), labels[turned])
        if mirrored is None:
            assert outcome.logits is not None
            mirrored = Outcome.blank(len(some), outcome.logits.shape[1])
        mirrored.put(places, outcome)
    said = labels.numpy()[chosen]
    order = np.argsort(np.concatenate(rows))
    return Sample(
        said,
        np.concatenate(features)[order],
        Seen(cast(Outcome, mirrored), said[some]),
        judges[chosen],
    )
