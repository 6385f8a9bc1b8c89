"""Single photos in a look inside: where each lies at every depth, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.attacks.probabilities import log_probabilities
from core.data.splits import Indices, drawn, fold_of_each
from core.inside.chosen import Chosen
from core.inside.found import MODELS, PHOTO_SETS
from core.inside.looks import Looks, kept_rows
from core.metrics.evidence import Sample
from core.metrics.measures import Measure
from core.metrics.projection import Floats, plane_of, turned_to

SHOWN = {"forget": 150, "test": 100, "retain": 120}
"""At most so many of each set: a chart of three times as many points is still drawn at once."""
Known = Mapping[str, Mapping[str, Measure | None]]


class Shown:
    """The photos, and where each is found in a look."""

    def __init__(self, images: Chosen, training_images: int) -> None:
        self.images = images
        self._own = fold_of_each(training_images)
        sizes = {name: len(getattr(images, name)) for name in PHOTO_SETS}
        self.rows = {name: drawn(np.arange(n), SHOWN[name]) for name, n in sizes.items()}

    def facts(self, look: Mapping[str, Sample]) -> dict[str, NDArray[Any]]:
        """Which they are. look: at any depth of a single network."""
        rows = self.rows.items()
        sets = [np.full(len(r), PHOTO_SETS.index(name), np.int8) for name, r in rows]
        return {
            "photo_sets": np.concatenate(sets),
            "photos": np.concatenate([getattr(self.images, name)[r] for name, r in rows]),
            "labels": np.concatenate([look[name].labels[r] for name, r in rows]),
        }

    def features(self, look: Mapping[str, Sample]) -> tuple[Floats, Indices | None]:
        """What is seen of each photo, (photos, d), and in the network of which fold; None where
        there is one network."""
        if look["forget"].model is None:
            return np.concatenate([_floats(look[name])[r] for name, r in self.rows.items()]), None
        places = {**self.rows, "retain": self._kept(look["retain"])}
        models = [look[name].model[r] for name, r in places.items()]  # type: ignore[index]
        features = np.concatenate([_floats(look[name])[r] for name, r in places.items()])
        return features, np.concatenate(models)

    def kept(self, look: Mapping[str, Sample], fold: int | None) -> tuple[Indices | slice, Floats]:
        """Which of the images to keep a network has learned, and what it makes of them."""
        rows = slice(None) if fold is None else kept_rows(self.images, self._own, fold)
        return rows, _floats(look["retain"])[look["retain"].of(fold)]

    def _kept(self, sample: Sample) -> Indices:
        """The row of each photo to keep in the first network that has learned it."""
        found = np.full(len(self.rows["retain"]), -1)
        start = 0
        for fold in self.images.folds:
            learned = kept_rows(self.images, self._own, fold)
            at = np.minimum(np.searchsorted(learned, self.rows["retain"]), len(learned) - 1)
            here = (learned[at] == self.rows["retain"]) & (found < 0)
            found[here] = start + at[here]
            start += len(learned)
        return found


def photos(shown: Shown, looks: Mapping[str, Looks], known: Known, whole: bool) -> dict[str, Any]:
    """The fields of `core.inside.found.Inside` that are about single photos.

    looks: by model. known: by model and depth, what the read-out is right about.
    """
    before = looks["before"]
    count = sum(map(len, shown.rows.values()))
    places = np.full((len(MODELS), len(before), count, 2), np.nan, np.float32)
    share = []
    for k, look in enumerate(before.values()):
        features, _ = shown.features(look)
        plane = plane_of(features)
        share.append(plane.share)
        places[0, k] = plane.places(features)
        for i, model in enumerate(MODELS[1:], start=1):
            if model in looks:
                seen = looks[model][list(before)[k]]
                places[i, k] = plane.places(_as_before(shown, seen, look))
    return {
        **shown.facts(before["answer"]),
        "places": places,
        "share": np.array(share),
        "probabilities": np.stack([_probabilities(shown, looks.get(m), before) for m in MODELS]),
        "named": _named(shown, list(before), known, "test" if whole else "forget"),
    }


def _as_before(shown: Shown, look: Mapping[str, Sample], before: Mapping[str, Sample]) -> Floats:
    """The photos' features in a network, turned so that the images to keep lie as they did."""
    features, models = shown.features(look)
    turned = np.empty_like(features)
    for fold in [None] if models is None else np.unique(models).tolist():
        rows, own = shown.kept(look, fold)
        mine = slice(None) if models is None else models == fold
        turned[mine] = turned_to(features[mine], own, _floats(before["retain"])[rows])
    return turned


def _probabilities(shown: Shown, look: Looks | None, before: Looks) -> NDArray[np.float32]:
    """(photos, classes); not numbers without a look."""
    features, _ = shown.features((look or before)["answer"])
    if look is None:
        return np.full(features.shape, np.nan, np.float32)
    found: NDArray[np.float32] = np.exp(log_probabilities(features)).astype(np.float32)
    return found


def _named(shown: Shown, depths: list[str], known: Known, asked: str) -> NDArray[np.int8]:
    """See `Inside.named`. asked: the set that the read-out is asked about."""
    found = []
    for name, rows in shown.rows.items():
        part = np.full((len(MODELS), len(depths), len(rows)), -1, np.int8)
        for i, model in enumerate(MODELS):
            for k, depth in enumerate(depths):
                measure = known.get(model, {}).get(depth)
                if name == asked and measure is not None:
                    part[i, k] = measure.each[0][rows]
        found.append(part)
    return np.concatenate(found, axis=2)


def _floats(sample: Sample) -> Floats:
    return np.nan_to_num(sample.features.astype(np.float64), posinf=1e4, neginf=-1e4)
