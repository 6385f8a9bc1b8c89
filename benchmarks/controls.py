"""What stands beside the methods: controls that forget nothing, and a second retraining.

A trick that forgets nothing shows what a number cannot see. Nothing is trained: the controls are
the base model with its output changed. A row that is in the log is not measured again.

    python -m benchmarks.controls --data ../shared/data/cifar10
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks import CLASS, RANDOM
from benchmarks.log import Log
from benchmarks.sweeps import numbers
from core.checkpoints import memorisation, storage
from core.checkpoints.outcomes import evaluate_outcomes
from core.checkpoints.provenance import versions
from core.checkpoints.storage import REFERENCE_SEED
from core.data.dataset import ImageDataset
from core.data.load import load_dataset
from core.data.request_text import parse_request
from core.data.splits import Split
from core.evaluation import evaluate_model
from core.ideal import find_reference
from core.metrics.average_gap import TERMS, attack_count, gap, shares
from core.metrics.measures import Evaluation
from core.models.precision import best_device
from core.runs.offered_data import forgotten_classes

LOG = Log("controls.jsonl")
CASES = (RANDOM, CLASS)
SECOND_SEED = 2
"""Of a second retrained reference, which says how far apart two retrainings lie."""
TEMPERATURE = 20.0
CONTROLS = {
    "before": "doing nothing",
    "mask": "masking the class's answer",
    "divide": f"dividing the logits by {TEMPERATURE:g}",
}
"""What each does, for a table; none of them forgets anything."""
AGAIN = "retrained_again"
"""The row of a second retraining: no control, but measured in the same way."""


class Masked(nn.Module):
    """A network that never gives some classes as its answer and knows them as before."""

    def __init__(self, model: nn.Module, classes: tuple[int, ...]) -> None:
        super().__init__()
        self.model, self.classes = model, list(classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(images).clone()
        logits[:, self.classes] = -torch.inf
        return logits


class Divided(nn.Module):
    """A network with every logit divided: the same answers, less sure of each."""

    def __init__(self, model: nn.Module, by: float) -> None:
        super().__init__()
        self.model, self.by = model, by

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.model(images) / self.by
        return found


def main() -> None:
    """Reads the shell's options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    measure(load_dataset("cifar10", options.data))


def measure(dataset: ImageDataset) -> None:
    """Measures what the log lacks."""
    for case in CASES:
        for row in (*CONTROLS, AGAIN):
            if not LOG.has({"case": case, "row": row}):
                _measure(dataset, case, row)


def _measure(dataset: ImageDataset, case: str, row: str) -> None:
    request = parse_request(case)
    parts = memorisation.split_of(dataset, request)
    by_class = request.class_matched
    measured = _measured(dataset, parts, row)
    ideal = _retrained(dataset, parts, REFERENCE_SEED)
    found = gap(measured, ideal, by_class)
    if measured is None or ideal is None or found is None:
        return
    *accuracies, attack = TERMS[by_class]
    every = ideal.metrics()
    counts = {name: float(every[name]["n"]) for name in accuracies}
    counts[attack] = round(attack_count(shares(ideal, by_class)), 1)
    line = {
        "case": case,
        "row": row,
        "numbers": numbers(measured.metrics()),
        "retrained": numbers(every),
        "gap": round(found.value, 3),
        "interval": [round(found.low, 3), round(found.high, 3)],
        "counts": counts,
        "versions": versions(best_device()),
    }
    LOG.add(line)
    print(case, row, line["gap"], line["interval"], line["numbers"], flush=True)


def _measured(dataset: ImageDataset, parts: Split, row: str) -> Evaluation | None:
    """What a row's model does; None where there is none for this request."""
    if row == AGAIN:
        return _retrained(dataset, parts, SECOND_SEED)
    base = storage.find("compact", dataset.name)
    model = base.load(best_device())
    if row == "before":
        return evaluate_outcomes(base, model, dataset, parts)
    if row == "divide":
        return evaluate_model(Divided(model, TEMPERATURE), dataset, parts)
    classes = forgotten_classes(dataset, parts)
    # Without a class that is gone there is no answer to hide.
    return evaluate_model(Masked(model, classes), dataset, parts) if classes else None


def _retrained(dataset: ImageDataset, parts: Split, seed: int) -> Evaluation | None:
    """What the model retrained from this seed does, if there is one."""
    reference = find_reference("compact", dataset, parts, seed)
    if reference is None:
        return None
    return evaluate_outcomes(reference, reference.load(best_device()), dataset, parts)


if __name__ == "__main__":
    main()
