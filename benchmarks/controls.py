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

from benchmarks.bench import CLASS, RANDOM, SECOND_SEED, Bench, Log
from benchmarks.gap import TERMS, attack_count
from core.checkpoints.outcomes import outcomes
from core.checkpoints.provenance import versions
from core.checkpoints.storage import REFERENCE_SEED
from core.data.request_text import parse_request
from core.data.requests import ForgetRequest
from core.evaluation import evaluate
from core.metrics.evidence import Outcome
from core.runs.offered_data import forgotten_classes

LOG = Log("controls.jsonl")
CASES = (RANDOM, CLASS)
RETAIN_SAMPLE = 10_000
"""Retained images that are measured, the same ones for the controls and the methods."""
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
    measure(Bench("cifar10", options.data, RETAIN_SAMPLE))


def measure(bench: Bench) -> None:
    """Measures what the log lacks."""
    for case in CASES:
        for name in (*CONTROLS, AGAIN):
            key = {"case": case, "row": name}
            if not LOG.has(key):
                _measure(bench, key)


def _measure(bench: Bench, key: dict[str, str]) -> None:
    request = parse_request(key["case"])
    parts = bench.split(request)
    retrained = bench.reference(parts, REFERENCE_SEED)
    measured = _outcomes(bench, request, key["row"])
    if retrained is None or measured is None:
        return
    seen, data, by_class = bench.seen(parts), bench.dataset, request.kind == "classes"
    found = evaluate(*retrained, data.train_labels, data.test_labels, seen)
    *accuracies, attack = TERMS[by_class]
    counts = {name: float(found.measures[name].n) for name in accuracies}
    counts[attack] = round(attack_count(bench.shares(retrained, request)), 1)
    line = {
        **key,
        "numbers": bench.numbers(measured, seen),
        "retrained": bench.numbers(retrained, seen),
        **bench.gap(measured, retrained, request),
        "counts": counts,
        "versions": versions(bench.device),
    }
    LOG.add(line)
    print(key, line["gap"], line["interval"], line["numbers"], flush=True)


def _outcomes(bench: Bench, request: ForgetRequest, row: str) -> tuple[Outcome, Outcome] | None:
    """What a row's model does; None where there is none for this request."""
    parts = bench.split(request)
    if row == AGAIN:
        return bench.reference(parts, SECOND_SEED)
    model = bench.base.load(bench.device)
    if row == "before":
        return outcomes(bench.base, model, bench.dataset)
    classes = forgotten_classes(bench.dataset, parts)
    if row == "mask" and not classes:
        return None  # there is no answer to hide
    changed = Masked(model, classes) if row == "mask" else Divided(model, TEMPERATURE)
    return bench.outcomes(changed, bench.seen(parts))


if __name__ == "__main__":
    main()
