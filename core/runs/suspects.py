"""Ten photos of a finished run, for somebody who plays the spy: five that it was to forget and five
new ones of the same classes, with what each network makes of them and what an attack says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.data.dataset import ImageDataset
from core.data.splits import Indices, Split
from core.errors import BadRequest
from core.metrics.measures import Evaluation
from core.runs.lineups import lineups_of, spies_of
from core.runs.run import MODELS, Run

EACH = 5


@dataclass(frozen=True)
class Suspect:
    """A photo. trained: whether the network before was trained on it. index: of the image among the
    training images, else among the test images. losses: in nats, by model. accused: by
    model, whether the attack takes it for one that was trained on."""

    trained: bool
    index: int
    label: int
    losses: Mapping[str, float]
    accused: Mapping[str, bool]


@dataclass(frozen=True)
class Suspects:
    """spy: the attack that is played against; it knows, as the player does, that `EACH` of them
    were trained on, and accuses the most familiar ones."""

    spy: str
    photos: tuple[Suspect, ...]

    def score(self, model: str) -> int:
        """How many the attack is right about, of this network."""
        return sum(photo.accused[model] == photo.trained for photo in self.photos)

    @property
    def models(self) -> list[str]:
        """Those whose answers are known."""
        return list(self.photos[0].accused)


def suspects(
    run: Run, dataset: ImageDataset, parts: Split, turn: int = 0, seen: Indices | None = None
) -> Suspects:
    """Ten photos, the same for a run's seed and turn, in an order that gives nothing away. dataset,
    parts: those of the run. seen: positions in the forget set that are left out where enough others
    are there; those with a label that is wrong on purpose are too, for it would give them away.

    Raises BadRequest where too few photos were forgotten, or the record lacks what it takes.
    """
    sizes = len(parts.forget), len(parts.test_fair)
    fitting = [
        spy
        for spy in spies_of(run)
        if sizes == (len((line := lineups_of(run, spy)["after"]).members), len(line.others))
    ]
    if not fitting:
        raise BadRequest(
            "The record of this run does not have what a spy made of each photo, or fewer than ten "
            "photos were forgotten.",
            "Run it again, with ten photos at least.",
        )
    draw = np.random.default_rng([run.plan.seed, turn])
    forgotten = _five(draw, dataset, parts, seen)
    labels = dataset.train_labels.numpy()[parts.forget[forgotten]]
    new = _alike(draw, labels, dataset.test_labels.numpy()[parts.test_fair])
    return Suspects(fitting[0], _known(run, fitting[0], dataset, parts, draw, forgotten, new))


def _five(
    draw: np.random.Generator, dataset: ImageDataset, parts: Split, seen: Indices | None
) -> Indices:
    """Positions in the forget set."""
    left = np.ones(len(parts.forget), bool)
    hints = [] if seen is None else [np.isin(np.arange(len(left)), seen)]
    if dataset.wrong_labels is not None:
        hints.insert(0, np.asarray(dataset.wrong_labels)[parts.forget])
    for hint in hints:
        if (left & ~hint).sum() >= EACH:
            left &= ~hint
    return draw.choice(np.flatnonzero(left), EACH, replace=False)


def _alike(draw: np.random.Generator, labels: Indices, of_new: Indices) -> Indices:
    """Positions of as many new photos, of these labels where there are such."""
    found: list[int] = []
    for label in labels:
        free = np.setdiff1d(np.arange(len(of_new)), found)
        alike = free[of_new[free] == label]
        found.append(int(draw.choice(alike if len(alike) else free)))
    return np.array(found, np.int64)


def _known(
    run: Run,
    spy: str,
    dataset: ImageDataset,
    parts: Split,
    draw: np.random.Generator,
    forgotten: Indices,
    new: Indices,
) -> tuple[Suspect, ...]:
    models = lineups_of(run, spy)
    losses, accused = {}, {}
    for model, line in models.items():
        evaluation: Evaluation = getattr(run, model)
        fair = evaluation.class_matched_losses if parts.by_class else evaluation.test_losses
        both = np.concatenate([evaluation.forget_losses[forgotten], fair[new]])
        losses[model] = np.nan_to_num(both, nan=np.inf, posinf=np.inf)
        places = np.concatenate([line.members[forgotten], line.others[new]])
        accused[model] = np.argsort(np.argsort(-places, kind="stable")) < EACH
    indices = np.concatenate([parts.forget[forgotten], parts.test_fair[new]])
    labels = np.concatenate(
        [
            dataset.train_labels.numpy()[indices[:EACH]],
            dataset.test_labels.numpy()[indices[EACH:]],
        ]
    )
    return tuple(
        Suspect(
            bool(i < EACH),
            int(indices[i]),
            int(labels[i]),
            {model: float(losses[model][i]) for model in MODELS if model in models},
            {model: bool(accused[model][i]) for model in MODELS if model in models},
        )
        for i in draw.permutation(2 * EACH)
    )
