"""Tries settings of methods on the tuning base, where no test image is looked at.

The tuning base was trained on 45,000 images; its "test" images are the 5,000 training images that
it never saw. Retain accuracy is measured on 5,000 retained images drawn once. Each trial is one
line of JSON in the log; one that is there is not run again, so the script can be broken off.

    python benchmarks/tune.py --data ../shared/data/cifar10            # the list below
    python benchmarks/tune.py --data ../shared/data/cifar10 \\
        --method fine_tune --forget random:0.1 --set learning_rate=0.1 --set epochs=1.2
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core import checkpoints
from core.data import ImageDataset, load_dataset
from core.errors import LabError
from core.evaluation import Outcome, evaluate, per_image
from core.experiment import case_of, offered_data
from core.forget_sets import ForgetRequest, Split, split
from core.models import best_device
from core.provenance import versions
from core.references import find_reference, outcomes
from core.results import Evaluation
from core.unlearners import make

LOG = Path(__file__).parent / "results" / "tuning.jsonl"
RANDOM, CLASS = "random:0.1", "class:automobile"
TRIALS: list[tuple[str, str, dict[str, Any]]] = [
    ("neg_grad", RANDOM, {"learning_rate": 6e-4}),
    ("neg_grad", RANDOM, {"learning_rate": 7e-4}),
    ("anchored_fine_tune", RANDOM, {}),
    ("neg_grad_plus", RANDOM, {}),
    ("neg_grad", CLASS, {"learning_rate": 4e-4}),
    ("neg_grad_plus", CLASS, {}),
]
"""Method, request, settings that differ from the defaults at the time."""
RETAIN_SAMPLE = 5_000


def main() -> None:
    """Runs what the log lacks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--method")
    parser.add_argument("--forget", default=RANDOM)
    parser.add_argument("--set", action="append", default=[])
    options = parser.parse_args()
    trials = TRIALS
    if options.method:
        settings = {name: json.loads(value) for name, value in (s.split("=") for s in options.set)}
        trials = [(options.method, options.forget, settings)]
    bench = Bench(load_dataset("cifar10-tuning", options.data))
    for method, request, settings in trials:
        line = bench.trial(method, ForgetRequest.parse(request), settings)
        if line is not None:
            print(method, request, settings, line.get("error") or summary(line), flush=True)


def summary(line: Mapping[str, Any]) -> str:
    """One line for the screen."""
    numbers = {key: round(value, 3) for key, value in line["after"].items()}
    return f"gap {line['gap']} {numbers} {line['seconds']['unlearning']:.1f} s"


class Bench:
    """The tuning base and what has been measured of it."""

    def __init__(self, dataset: ImageDataset) -> None:
        self.dataset = dataset
        self.base = checkpoints.find("compact", dataset.name)
        self.device = best_device()

    def trial(
        self, name: str, request: ForgetRequest, changed: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Runs, measures and logs one; None if the log has it."""
        parts = split(
            self.dataset, request, checkpoints.memorisation_scores("compact", self.dataset.name)
        )
        method = make(name, dict(changed), case_of(self.dataset, parts))
        key = {"method": name, "request": request.to_dict(), "settings": method.settings()}
        if any(all(line.get(k) == key[k] for k in key) for line in _lines()):
            return None
        draw = np.random.default_rng(0)
        sample = np.sort(draw.permutation(parts.retain)[:RETAIN_SAMPLE])
        small = dataclasses.replace(parts, retain=sample)
        model = self.base.load(self.device)
        before = self._numbers(outcomes(self.base, model, self.dataset), small)
        reference = find_reference("compact", self.dataset, parts)
        retrained = None
        if reference is not None:
            known = outcomes(reference, reference.load(self.device), self.dataset)
            retrained = self._numbers(known, small)
        data = offered_data(self.dataset, parts, method.needs, self.base)
        line: dict[str, Any] = dict(key)
        clock = time.perf_counter()
        try:
            for _ in method.run(model, data, torch.Generator().manual_seed(0)):
                pass
        except LabError as error:
            line["error"] = str(error)
        seconds = time.perf_counter() - clock
        after = self._numbers(self._outcomes(model, small), small)
        line |= {
            "before": before,
            "after": after,
            "retrained": retrained,
            "gap": gap(after, retrained, request) if retrained else None,
            "seconds": {"unlearning": round(seconds, 2)},
            "versions": versions(self.device),
        }
        with LOG.open("a") as log:
            log.write(json.dumps(line) + "\n")
        return line

    def _outcomes(self, model: torch.nn.Module, parts: Split) -> tuple[Outcome, Outcome]:
        """Only the training images that `parts` names are measured; the rest stays empty."""
        data = self.dataset
        chosen = np.concatenate([parts.forget, parts.retain])
        found = per_image(
            model,
            data.train_images[torch.from_numpy(chosen)],
            data.train_labels[torch.from_numpy(chosen)],
        )
        n = len(data.train_labels)
        train = Outcome(np.full(n, np.nan, np.float32), np.full(n, -1, np.int64))
        train.losses[chosen], train.predictions[chosen] = found.losses, found.predictions
        return train, per_image(model, data.test_images, data.test_labels)

    def _numbers(self, measured: tuple[Outcome, Outcome], parts: Split) -> dict[str, float]:
        data = self.dataset
        return numbers(evaluate(*measured, data.train_labels, data.test_labels, parts))


def numbers(evaluation: Evaluation) -> dict[str, float]:
    """What the log keeps, as fractions."""
    found = evaluation.metrics()
    names = (
        "forget_accuracy",
        "retain_accuracy",
        "test_accuracy",
        "retained_test_accuracy",
        "mia",
        "mia_class_matched",
    )
    return {name: measure["value"] for name in names if (measure := found[name])}


def gap(
    after: Mapping[str, float], retrained: Mapping[str, float], request: ForgetRequest
) -> float:
    """The average gap, in points: the mean absolute difference to the retrained reference in
    forget, retain and (retained) test accuracy and simple MIA (class-matched for a class)."""
    by_class = request.kind == "classes"
    names = (
        "forget_accuracy",
        "retain_accuracy",
        "retained_test_accuracy" if by_class else "test_accuracy",
        "mia_class_matched" if by_class else "mia",
    )
    return round(100 * float(np.mean([abs(after[n] - retrained[n]) for n in names])), 3)


def _lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in LOG.read_text().splitlines()] if LOG.exists() else []


if __name__ == "__main__":
    main()
