"""SISA on CIFAR-10: what it costs to forget one image and a random tenth, and what the vote knows.

What it is measured against is training the ensemble again without those images, which ends bit for
bit where its unlearning does: its steps, at the rate of the unlearning itself. A run that has its
line in results/sisa.jsonl is not run again.

    python -m core train --model sisa --dataset cifar10 --data ../shared/data/cifar10
    python -m benchmarks.sisa --data ../shared/data/cifar10
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from benchmarks import RANDOM, RESULTS
from benchmarks.log import Line, Log
from benchmarks.sweeps import numbers, planned, run_all
from core.checkpoints.slices import stored
from core.data.load import load_dataset
from core.data.request_text import parse_request
from core.models.sisa import Sisa
from core.runs.offered_data import offered_data
from core.runs.plan import Plan
from core.runs.run import Run
from core.runs.sweep import compute
from core.runs.task import prepare
from core.training.shards import shards_of, train_shards

DATASET, LOG = "cifar10", Log("sisa.jsonl")
CASES = {"one image": ("random:1", 3), "random 10 %": (RANDOM, 1)}
"""What is forgotten, and how many such forget sets are tried: what one image costs depends on the
slice that it is in."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what the log lacks, then writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    options = parser.parse_args(arguments)
    dataset = load_dataset(DATASET, options.data)
    plans = [
        planned(dataset, request, "sisa", model="sisa", forget_seed=seed)
        for request, sets in CASES.values()
        for seed in range(sets)
    ]
    run_all(plans, LOG, folder=options.data, work=timed)
    (RESULTS / "sisa.md").write_text(table(LOG.lines()))
    print(table(LOG.lines()))


def timed(plan: Plan, folder: Path | None) -> Run:
    """A plan's run; its seconds say as well what training the whole ensemble without the images of
    the request would have taken. In a worker."""
    run = compute(plan, folder)
    if run.status != "finished":
        return run
    rate = run.seconds["unlearning"] / run.steps_done
    anew = rate * _steps_anew(plan, folder)
    return dataclasses.replace(run, seconds={**run.seconds, "retraining": anew})


def _steps_anew(plan: Plan, folder: Path | None) -> int:
    task = prepare(plan, folder=folder)
    data = offered_data(task.dataset, task.parts, frozenset({"retain"}), task.base)
    seed, model = stored(task.base).seed, cast(Sisa, task.base.load(task.device))
    shards = shards_of(data.retain, data.recipe, seed, data.classes)
    return next(train_shards(model, shards, data.recipe, seed, lambda key: None)).total_steps


def table(lines: Sequence[Line]) -> str:
    """One row a case, as Markdown."""
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
    for said, (request, sets) in CASES.items():
        requests = [parse_request(request, seed).to_dict() for seed in range(sets)]
        runs = [line for line in lines if line["plan"]["request"] in requests]
        if runs:
            cells = [_both(runs, name) for name in ("forget_accuracy", "test_accuracy", "mia")]
            steps = statistics.median(run["steps_done"] for run in runs)
            seconds = statistics.median(run["seconds"]["unlearning"] for run in runs)
            share = statistics.median(
                run["seconds"]["unlearning"] / run["seconds"]["retraining"] for run in runs
            )
            cells += [f"{steps:.0f}", f"{seconds:.0f}", f"{100 * share:.0f} %"]
            rows.append(f"| {said} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _both(runs: Sequence[Line], name: str) -> str:
    """Mean before and after; a dash where it cannot be measured."""
    models = [[numbers(run["metrics"][at]).get(name) for run in runs] for at in ("before", "after")]
    if any(None in values for values in models):
        return "-"
    before, after = (100 * statistics.mean(values) for values in models)
    return f"{before:.1f} → {after:.1f}"


if __name__ == "__main__":
    main()
