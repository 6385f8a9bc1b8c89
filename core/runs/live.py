"""Looks at a model while a method changes it, on a clock of its own: a probe of fixed subsamples at
every quarter, and small rolling samples in between."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch

from core.attacks.probabilities import margins
from core.attacks.simple_mia import accuracy
from core.data.dataset import ImageDataset
from core.data.splits import Indices, Split, drawn
from core.evaluation import per_image
from core.metrics.evidence import Outcome
from core.metrics.measures import Losses
from core.models.classifier import Classifier
from core.models.precision import training_precision
from core.runs.run import Probe, Snapshot
from core.unlearners.base import Step

PROBE_IMAGES = 500


ROLLING_IMAGES = 24


PHOTOS = 12
"""Photos of the forget set that every look looks at."""


WATCHING_SHARE = 0.08
"""Of unlearning time, below which looks are taken that are not due: only the probes at the quarters
come in any case."""


SNAPSHOT_SECONDS = 0.25


ROLLING_SECONDS = 1.0


class Watcher:
    """Looks at a model while a method changes it, on a clock of its own."""

    def __init__(self, dataset: ImageDataset, parts: Split, seed: int, matched: bool) -> None:
        self.measuring = 0.0
        self.watching = 0.0
        self.replay: list[Snapshot] = []
        self._dataset = dataset
        draw = np.random.default_rng(0)
        # Where the fair question takes test images of the same classes, what must stay useful is
        # measured on others: a third sample, and all three together no larger than two are.
        self._matched = matched
        fair = parts.test_class_matched if self._matched else parts.test
        size = PROBE_IMAGES * 2 // 3 if self._matched else PROBE_IMAGES
        self._forget, self._test = (
            np.sort(draw.permutation(indices)[:size]) for indices in (parts.forget, fair)
        )
        self._useful = self._test
        if self._matched:
            self._useful = np.sort(draw.permutation(parts.test_retained)[:size])
        self._photos = photos_of(parts)
        self._draw = np.random.default_rng(seed)
        self._last_snapshot = 0.0
        self._last_probe_cost = 0.0
        self._last_rolling_cost = 0.0
        self._last_rolling = 0.0

    def after(self, model: Classifier, step: Step, seconds: float) -> Snapshot | None:
        """A snapshot if one is due after this step.

        Probes come at each quarter, and twice between two quarters where all looking so far has
        cost little; the one at the end comes with the full evaluation.
        """
        quarter = step.done in {round(step.total * k / 4) for k in (1, 2, 3)}
        twelfth = step.done in {round(step.total * k / 12) for k in range(1, 12)}
        left = WATCHING_SHARE * seconds - self.watching
        probe = quarter or (twelfth and self._last_probe_cost <= left)
        if not probe and step.done > 1 and seconds - self._last_snapshot < SNAPSHOT_SECONDS:
            return None
        self._last_snapshot = seconds
        remaining = seconds / step.done * (step.total - step.done) if step.done >= 3 else None
        due = seconds - self._last_rolling >= ROLLING_SECONDS
        rolling = due and not probe and self._last_rolling_cost <= left
        return self.look(model, step, seconds, remaining, probe, rolling)

    def known(self, step: Step, seconds: float, train: Outcome, test: Outcome) -> Snapshot:
        """A snapshot with a probe taken from a full evaluation: nothing is computed again."""
        samples = train.at(self._forget), test.at(self._test), test.at(self._useful)
        photos = train.at(self._photos)
        probe = self._probe(*samples, photos, self._forget, self._test, self._useful)
        return self._keep(step, seconds, None if step.total == 0 else 0.0, probe)

    def look(
        self,
        model: Classifier,
        step: Step,
        seconds: float,
        remaining: float | None,
        probe: bool = False,
        rolling: bool = False,
    ) -> Snapshot:
        """A snapshot of this moment, with a probe or a rolling sample if asked for."""
        clock = time.perf_counter()
        measured = None
        if probe:
            measured = self._seen(model, self._forget, self._test, self._useful)
        elif rolling:
            self._last_rolling = seconds
            forget, test = self._pick(self._forget), self._pick(self._test)
            useful = self._pick(self._useful) if self._matched else test
            measured = self._seen(model, forget, test, useful)
        cost = time.perf_counter() - clock
        self.measuring += cost
        self.watching += cost
        if probe:
            self._last_probe_cost = cost
            return self._keep(step, seconds, remaining, probe=measured)
        if rolling:
            self._last_rolling_cost = cost
        return self._keep(step, seconds, remaining, rolling=measured)

    def _keep(
        self,
        step: Step,
        seconds: float,
        remaining: float | None,
        probe: Probe | None = None,
        rolling: Probe | None = None,
    ) -> Snapshot:
        snapshot = Snapshot(
            step=step.done,
            total_steps=step.total,
            phase=step.phase,
            seconds=seconds,
            measuring_seconds=self.measuring,
            remaining=remaining,
            training_loss=step.loss,
            probe=probe,
            rolling=rolling,
        )
        if probe is not None:
            self.replay.append(snapshot)
        return snapshot

    def _pick(self, indices: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return self._draw.permutation(indices)[:ROLLING_IMAGES]

    def _seen(self, model: Classifier, forget: Indices, test: Indices, useful: Indices) -> Probe:
        """A look at these images and at the photos, in one pass and in training precision: a live
        view needs no more."""
        dataset = self._dataset
        extra = useful if self._matched else useful[:0]  # else they are the test sample itself
        chosen = torch.from_numpy(np.concatenate([forget, self._photos]))
        others = torch.from_numpy(np.concatenate([test, extra]))
        images = torch.cat([dataset.train_images[chosen], dataset.test_images[others]])
        labels = torch.cat([dataset.train_labels[chosen], dataset.test_labels[others]])
        with training_precision(next(model.parameters()).device):
            pooled = per_image(model, images, labels)
        ends = np.cumsum([len(forget), len(self._photos), len(test)])
        first, photos, tested = (
            pooled.at(slice(start, end)) for start, end in zip([0, *ends[:-1]], ends, strict=True)
        )
        kept = pooled.at(slice(ends[-1], None)) if self._matched else tested
        return self._probe(first, tested, kept, photos, forget, test, useful)

    def _probe(
        self,
        forget: Outcome,
        test: Outcome,
        useful: Outcome,
        photos: Outcome,
        of_forget: Indices,
        of_test: Indices,
        of_useful: Indices,
    ) -> Probe:
        """What the outcomes of these images say. of_forget, of_test, of_useful: which they are."""
        labels = self._dataset.train_labels.numpy()[of_forget]
        test_labels = self._dataset.test_labels.numpy()
        said, classes = test_labels[of_useful], len(self._dataset.class_names)
        right = useful.predictions == said
        return Probe(
            forget_losses=forget.losses,
            test_losses=test.losses,
            forget_accuracy=float(np.mean(forget.predictions == labels)),
            test_accuracy=float(np.mean(right)),
            mia=accuracy(forget.losses, test.losses),
            matched=self._matched,
            useful=len(of_useful),
            forget_margins=_margins(forget, labels),
            test_margins=_margins(test, test_labels[of_test]),
            photo_losses=photos.losses,
            photo_predictions=photos.predictions,
            class_right=np.bincount(said[right], minlength=classes),
            class_seen=np.bincount(said, minlength=classes),
        )


def photos_of(parts: Split) -> Indices:
    """The few photos of a forget set that every look looks at, sorted."""
    return drawn(parts.forget, PHOTOS)


def _margins(outcome: Outcome, labels: Indices) -> Losses | None:
    if outcome.logits is None:
        return None
    found: Losses = margins(outcome.logits, labels).astype(np.float32)
    return found
