"""How fast what was forgotten comes back, when training goes on: against the ideal.

Weights that still know what they do not say have it back after a few steps, as a model that never
saw the images has not. Both models are trained on alike, (a) with retained images alone, (b) with
ten of the forgotten ones in every batch as well, and the accuracy on the other forgotten images is
recorded on the way. (Trained on the ten alone, a model calls all images by their names or loses
what it knew, a retrained one too.)

The number is the area between the two curves: the mean over the recorded points after the start of
the accuracy of the unlearned model less that of the ideal, 0 at the ideal, above it where more
comes back. Golatkar et al. (CVPR 2020, arXiv 1911.04933) count the steps until the loss on the
forget set is low again (relearn time), and Chundawat et al. (IEEE TIFS 2023, arXiv 2201.05629)
divide that of the unlearned model by that of the retrained one (anamnesis index). A time is not
defined for a model that does not get there, and depends on where "there" is; the area always is,
and is paired image by image. It is no proof: an answer that is masked by a huge bias does not come
back by gradients, though all is still known (re-head sees that).
"""

from __future__ import annotations

import copy
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import torch

from core.curvature.products import Work, in_order, numbered
from core.data.images import Images
from core.errors import BadRequest, BadSetting
from core.evaluation import logits_of
from core.metrics.differences import difference_of_shares
from core.metrics.measures import Correct, Measure, averaged, share_of
from core.models.classifier import Classifier
from core.training.optimisers import make_optimiser
from core.unlearners.common.descent import descend
from core.unlearners.common.draw import Draw, take
from core.unlearners.common.losses import cross_entropy
from core.unlearners.common.networks import device_of

FEW = 10
"""Forgotten images that are trained on."""
FEWEST, MOST = 10, 1_000
"""Other forgotten images that the accuracy is measured on, at least and at most."""
BATCH = 64


@dataclass(frozen=True)
class Lesson:
    """How a model is trained on: `steps` steps of SGD with Nesterov momentum, the rate falling
    along a cosine from `learning_rate` to 0, with a look after every `every` of them and after the
    last. batch_size: retained images a step. Raises BadSetting."""

    steps: int = 20
    every: int = 2
    learning_rate: float = 0.03
    momentum: float = 0.9
    batch_size: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "every", "batch_size"):
            if getattr(self, name) < 1:
                raise BadSetting(f"Relearning needs {name} of at least 1.")

    @property
    def looks(self) -> tuple[int, ...]:
        """The steps after which the accuracy is measured, 0 among them."""
        return tuple(sorted({*range(0, self.steps, self.every), self.steps}))


@dataclass(frozen=True)
class Curve:
    """The accuracy after so many steps, the first after none."""

    steps: tuple[int, ...]
    accuracies: tuple[Measure, ...]

    @property
    def mean(self) -> Measure:
        """Over all points but the first."""
        return averaged(self.accuracies[1:])

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        accuracies = [measure.to_dict() for measure in self.accuracies]
        return {"steps": list(self.steps), "accuracies": accuracies}


@dataclass(frozen=True)
class Relearned:
    """Two models trained on alike. ideal: None where there is none."""

    after: Curve
    ideal: Curve | None

    @property
    def excess(self) -> Measure | None:
        """The area between the curves, -1 to 1, with its 95 % interval, paired image by image; 0 is
        the ideal, above it what was forgotten comes back faster."""
        return difference_of_shares(self.after.mean, self.ideal.mean) if self.ideal else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "after": self.after.to_dict(),
            "ideal": self.ideal and self.ideal.to_dict(),
            "excess": (excess := self.excess) and excess.to_dict(),
        }


def relearn(
    model: Classifier, retain: Images, few: Images | None, judged: Images, lesson: Lesson
) -> Work[Curve]:
    """Trains a copy of the model on retained images, with all of the `few` in each batch as well,
    and looks how many of others it labels correctly. Yields after each batch, so that it can be
    closed; returns the curve. Raises Diverged."""
    model = copy.deepcopy(model).requires_grad_(True).train()
    draw = Draw(torch.Generator().manual_seed(lesson.seed), device_of(model))
    batches = draw.batches(retain, "relearning", lesson.batch_size)
    if few is not None:
        shown = few.batch(torch.arange(len(few)), draw.device)
        batches = ((torch.cat([x, shown[0]]), torch.cat([y, shown[1]])) for x, y in batches)
    losses = (cross_entropy(model, x, y) for x, y in batches)
    optimiser = make_optimiser(model, lesson.learning_rate, lesson.momentum)
    accuracies = [share_of((yield from _right(model, judged)))]
    for done, _ in enumerate(descend(optimiser, losses, lesson.steps), 1):
        yield
        if done in lesson.looks:
            accuracies.append(share_of((yield from _right(model, judged))))
    return Curve(lesson.looks, tuple(accuracies))


def _right(model: Classifier, part: Images) -> Work[Correct]:
    """bool (n,): which of a part's images are labelled correctly."""
    found = []
    for images, labels in in_order(part, BATCH, device_of(model)):
        found.append(logits_of(model, images).argmax(1) == labels.cpu())
        yield
    right: Correct = torch.cat(found).numpy()
    return right


def relearning(
    after: Classifier,
    ideal: Classifier | None,
    retain: Images,
    forget: Images,
    lesson: Lesson | None = None,
) -> Generator[tuple[int, int], None, dict[str, Relearned]]:
    """How fast what an unlearned model forgot comes back, "retained" with retained images alone and
    "few" with `FEW` forgotten ones in each batch; both judged on other forgotten images, `MOST` of
    them at most, drawn from the lesson's seed.

    Yields how many of how many batches are done; returns the two results. The models are left as
    they are. Raises BadRequest where too few images are forgotten, or Diverged.
    """
    lesson = lesson or Lesson()
    if len(forget) < FEW + FEWEST:
        raise BadRequest(
            f"Relearning from {FEW} forgotten images is measured on {FEWEST} others at least, and "
            f"only {len(forget)} are forgotten."
        )
    order = torch.randperm(len(forget), generator=torch.Generator().manual_seed(lesson.seed))
    few, judged = take(forget, order[:FEW]), take(forget, order[FEW:][:MOST].sort().values)
    each = lesson.steps + len(lesson.looks) * judged.steps(BATCH)
    models = [after] if ideal is None else [after, ideal]
    results, before = {}, 0
    for name, shown in (("retained", None), ("few", few)):
        curves: list[Curve | None] = []
        for model in models:
            work = relearn(model, retain, shown, judged, lesson)
            curves.append((yield from numbered(work, before, 2 * len(models) * each)))
            before += each
        first, *rest = curves
        assert first is not None
        results[name] = Relearned(first, *(rest or [None]))
    return results
