"""What the benchmarks share: one base model, a method run on a copy of it, and what it did."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks import CLASS, MEMORISED, RANDOM  # noqa: F401
from benchmarks.gap import Shares, paired, shares
from benchmarks.log import Log  # noqa: F401
from core.checkpoints import memorisation, storage
from core.checkpoints.outcomes import outcomes
from core.checkpoints.provenance import versions
from core.checkpoints.records import stored_records
from core.checkpoints.storage import REFERENCE_SEED
from core.data.load import load_dataset
from core.data.requests import ForgetRequest
from core.data.splits import Split, split
from core.errors import LabError
from core.evaluation import evaluate, per_image
from core.ideal import find_reference
from core.metrics.evidence import Outcome
from core.metrics.measures import Evaluation
from core.models.precision import best_device
from core.runs.offered_data import case_of, offered_data
from core.runs.shell.report import REPORTED
from core.unlearners import make

SECOND_SEED = 2
"""Of a second retrained reference, which says how far apart two retrainings lie."""


class Bench:
    """The base model of a data set. retain_sample: retain accuracy is measured on so many
    retained images, drawn once; on all of them by default."""

    def __init__(
        self,
        dataset: str,
        folder: Path | None = None,
        retain_sample: int | None = None,
        architecture: str = "compact",
    ) -> None:
        self.dataset = load_dataset(dataset, folder)
        self.base = storage.find(architecture, dataset)
        self.scores = memorisation.memorisation_scores(self.dataset)
        self.device = best_device()
        self.retain_sample = retain_sample

    def split(self, request: ForgetRequest) -> Split:
        """The index sets of a request on this data."""
        return split(self.dataset, request, self.scores)

    def plan(
        self, method: str, request: ForgetRequest, changed: Mapping[str, Any], seed: int = 0
    ) -> dict[str, Any]:
        """What names a trial: method, request, all settings, seed; JSON-ready."""
        settings = make(
            method, dict(changed), case_of(self.dataset, self.split(request))
        ).settings()
        return {
            "method": method,
            "request": request.to_dict(),
            "settings": settings,
            "seed": seed,
        }

    def trial(self, plan: Mapping[str, Any]) -> dict[str, Any]:
        """Runs and measures one; a method that gives up has its reason under "error"."""
        request = ForgetRequest.from_dict(plan["request"])
        parts = self.split(request)
        method = make(plan["method"], plan["settings"])
        model = self.base.load(self.device)
        records = stored_records(self.base, model, self.dataset, method.needs)
        data = offered_data(self.dataset, parts, method.needs, self.base, records)
        method.check(data)
        seen = self.seen(parts)
        before = self.numbers(outcomes(self.base, model, self.dataset), seen)
        retrained = self.reference(parts, REFERENCE_SEED)
        again = self.reference(parts, SECOND_SEED)
        line = dict(plan)
        steps, clock = 0, time.perf_counter()
        try:
            for step in method.run(model, data, torch.Generator().manual_seed(plan["seed"])):
                steps = step.done
        except LabError as error:
            line["error"] = str(error)
        seconds = time.perf_counter() - clock
        measured = self.outcomes(model, seen)
        with method.own_precision():
            made_with = versions(self.device)
        line |= {
            "before": before,
            "after": self.numbers(measured, seen),
            "retrained": retrained and self.numbers(retrained, seen),
            "retrained_again": again and self.numbers(again, seen),
            "gap": None,
        }
        if retrained:
            line |= self.gap(measured, retrained, request)
        return line | {
            "seconds": {"unlearning": round(seconds, 2)},
            "steps": steps,
            "versions": made_with,
        }

    def seen(self, parts: Split) -> Split:
        """The split with as many retained images as are measured."""
        if not self.retain_sample:
            return parts
        some = np.random.default_rng(0).permutation(parts.retain)[: self.retain_sample]
        return dataclasses.replace(parts, retain=np.sort(some))

    def reference(self, parts: Split, seed: int) -> tuple[Outcome, Outcome] | None:
        """What the model retrained from this seed does, if there is one."""
        architecture = str(self.base.manifest["architecture"])
        reference = find_reference(architecture, self.dataset, parts, seed)
        if reference is None:
            return None
        return outcomes(reference, reference.load(self.device), self.dataset)

    def shares(self, measured: tuple[Outcome, Outcome], request: ForgetRequest) -> Shares:
        """Image by image, what the gap of a request is made of."""
        labels = self.dataset.train_labels, self.dataset.test_labels
        seen = self.seen(self.split(request))
        return shares(*measured, *labels, seen, request.kind == "classes")

    def gap(
        self,
        measured: tuple[Outcome, Outcome],
        retrained: tuple[Outcome, Outcome],
        request: ForgetRequest,
    ) -> dict[str, Any]:
        """The average gap in points and its interval, paired over the images, for a log."""
        found = paired(*(self.shares(of, request) for of in (measured, retrained)))
        low, high = round(found.low, 3), round(found.high, 3)
        return {"gap": round(found.value, 3), "interval": [low, high]}

    def retraining_seconds(self, request: ForgetRequest, steps: int = 8) -> float:
        """What retraining would take now: its steps times the rate of some of them."""
        retrain = make("retrain")
        data = offered_data(self.dataset, self.split(request), retrain.needs, self.base)
        running = retrain.run(self.base.load(self.device), data, torch.Generator().manual_seed(0))
        total = next(running).total
        for _ in range(2):
            next(running)
        clock = time.perf_counter()
        for _ in range(steps):
            next(running)
        return (time.perf_counter() - clock) / steps * total

    def outcomes(self, model: nn.Module, parts: Split) -> tuple[Outcome, Outcome]:
        """Only the training images that `parts` names are measured; the rest stays empty."""
        data = self.dataset
        chosen = np.concatenate([parts.forget, parts.retain])
        which = torch.from_numpy(chosen)
        found = per_image(model, data.train_images[which], data.train_labels[which])
        n = len(data.train_labels)
        train = Outcome(np.full(n, np.nan, np.float32), np.full(n, -1, np.int64))
        train.losses[chosen], train.predictions[chosen] = found.losses, found.predictions
        return train, per_image(model, data.test_images, data.test_labels)

    def numbers(self, measured: tuple[Outcome, Outcome], parts: Split) -> dict[str, float]:
        """What a log keeps of what a model does, as fractions."""
        data = self.dataset
        return numbers(evaluate(*measured, data.train_labels, data.test_labels, parts))


def numbers(evaluation: Evaluation) -> dict[str, float]:
    """What a log keeps, as fractions; what could not be measured is left out."""
    found = evaluation.metrics()
    return {name: measure["value"] for name in REPORTED if (measure := found[name])}


def summary(line: Mapping[str, Any]) -> str:
    """One line for the screen."""
    found = {key: round(value, 3) for key, value in line["after"].items()}
    changed = {k: v for k, v in line["settings"].items() if k not in ("momentum", "batch_size")}
    return (
        f"{line['method']} seed {line['seed']} {changed}: gap {line['gap']} {found} "
        f"{line['seconds']['unlearning']} s {line.get('error', '')}"
    )
