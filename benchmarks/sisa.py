"""SISA on CIFAR-10: what it costs to forget one image and a random tenth, and what the vote knows.

What it is measured against is training the ensemble again without those images, which ends bit for
bit where its unlearning does: its steps, at the rate of the unlearning itself. A run that is in the
log is not run again.

    python -m core train --model sisa --dataset cifar10 --data ../shared/data/cifar10
    python -m benchmarks.sisa --data ../shared/data/cifar10
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any, cast

from benchmarks import RESULTS
from benchmarks.bench import RANDOM, Bench, Log
from core.checkpoints.slices import stored
from core.data.request_text import parse_request
from core.data.requests import ForgetRequest
from core.models.sisa import Sisa
from core.runs.offered_data import offered_data
from core.training.shards import shards_of, train_shards

LOG = Log("sisa.jsonl")
CASES = ("random:1", RANDOM)
ONE_IMAGE_SEEDS = 3
"""Forget sets of one image that are tried: what one costs depends on the slice that it is in."""


def main() -> None:
    """Runs what the log lacks, then writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    bench = Bench("cifar10", options.data, retain_sample=10_000, architecture="sisa")
    for case in CASES:
        for seed in range(ONE_IMAGE_SEEDS if case != RANDOM else 1):
            request = parse_request(case, seed)
            plan = {"case": case} | bench.plan("sisa", request, {})
            if not LOG.has(plan):
                LOG.add(bench.trial(plan) | {"steps_anew": steps_anew(bench, request)})
    (RESULTS / "sisa.md").write_text(_table())
    print(_table())


def steps_anew(bench: Bench, request: ForgetRequest) -> int:
    """Of training the whole ensemble without the images of the request."""
    model = cast(Sisa, bench.base.load(bench.device))
    data = offered_data(bench.dataset, bench.split(request), frozenset({"retain"}), bench.base)
    seed = stored(bench.base).seed
    shards = shards_of(data.retain, data.recipe, seed, data.classes)
    return next(train_shards(model, shards, data.recipe, seed, lambda key: None)).total_steps


def _table() -> str:
    rows = [
        "# SISA on CIFAR-10: four networks of half `compact`'s width, two slices each",
        "",
        "`python -m benchmarks.sisa --data ../shared/data/cifar10`; accuracies and the attack in "
        "percent, before and after. Share: steps, of those of training the ensemble again without "
        "the images. One image: the median of three images.",
        "",
        "| forgotten | accuracy on them | test accuracy | simple MIA | steps | s | share |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for case, said in zip(CASES, ("one image", "random 10 %"), strict=True):
        runs = [line for line in LOG.lines() if line["case"] == case]
        if runs:
            cells = [_both(runs, name) for name in ("forget_accuracy", "test_accuracy", "mia")]
            steps = statistics.median(run["steps"] for run in runs)
            seconds = statistics.median(run["seconds"]["unlearning"] for run in runs)
            share = statistics.median(run["steps"] / run["steps_anew"] for run in runs)
            cells += [f"{steps:.0f}", f"{seconds:.0f}", f"{100 * share:.0f} %"]
            rows.append(f"| {said} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _both(runs: list[dict[str, Any]], name: str) -> str:
    """Mean before and after; a dash where it cannot be measured."""
    if not all(name in run["before"] and name in run["after"] for run in runs):
        return "-"
    before, after = (
        100 * statistics.mean(run[at][name] for run in runs) for at in ("before", "after")
    )
    return f"{before:.1f} → {after:.1f}"


if __name__ == "__main__":
    main()
