"""Every method once on real CIFAR-10: its time as a fraction of retraining, what the live view
costs, and what came out. The runs are the ones that the app ships (`--ship`).

Retraining's time is its steps times the rate measured in the same run. A method and case whose line
is in the log is not run again.

    python -m benchmarks.methods --data ../shared/data/cifar10 --ship
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path

import torch

from benchmarks import RESULTS
from benchmarks.bench import CLASS, MEMORISED, RANDOM, Log
from core import checkpoints
from core.__main__ import report
from core.data import ImageDataset, load_dataset
from core.experiment import offered_data, run_plan
from core.folders import SHIPPED
from core.forget_sets import ForgetRequest, split
from core.models import best_device
from core.results import Plan, Run
from core.run_files import run_to_files
from core.unlearners import METHODS, make

LOG = Log("methods.jsonl")
CASES = (RANDOM, CLASS, MEMORISED)
RATE_STEPS = 60


def main() -> None:
    """Runs what the log lacks, then writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--cases", nargs="*", default=CASES)
    parser.add_argument("--methods", nargs="*", default=[m for m in METHODS if m != "retrain"])
    parser.add_argument("--ship", action="store_true", help="into models_cache/runs")
    options = parser.parse_args()
    dataset = load_dataset("cifar10", options.data)
    for case, method in itertools.product(options.cases, options.methods):
        if not LOG.has({"case": case, "method": method}):
            _run(case, method, dataset, options.ship)
    (RESULTS / "methods.md").write_text(_table())
    print(_table())


def _run(case: str, method: str, dataset: ImageDataset, ship: bool) -> None:
    request = ForgetRequest.parse(case)
    retraining = _retraining_seconds(dataset, request)
    for item in run_plan(Plan("compact", "cifar10", request, method), dataset=dataset):
        if isinstance(item, Run) and item.status == "finished":
            if ship:
                run_to_files(item, SHIPPED / "runs")
            found = report(item)
            line = {
                "case": case,
                "method": method,
                "retraining_seconds": round(retraining, 1),
                "seconds": dict(item.seconds),
                "settings": found["settings"],
                **{name: found[name] for name in ("before", "after", "retrained", "versions")},
            }
            LOG.add(line)
            print(case, method, found["seconds"], found["after"], flush=True)


def _retraining_seconds(dataset: ImageDataset, request: ForgetRequest) -> float:
    base = checkpoints.find("compact", "cifar10")
    scores = checkpoints.memorisation_scores("compact", "cifar10")
    parts = split(dataset, request, scores)
    retrain = make("retrain")
    model = base.load(best_device())
    steps = retrain.run(
        model, offered_data(dataset, parts, retrain.needs, base), torch.Generator().manual_seed(0)
    )
    total = next(steps).total
    for _ in range(4):
        next(steps)
    clock = time.perf_counter()
    for _ in range(RATE_STEPS):
        next(steps)
    return (time.perf_counter() - clock) / RATE_STEPS * total


COLUMNS = {
    "forget_accuracy": "forget",
    "retain_accuracy": "retain",
    "retained_test_accuracy": "retained test",
    "mia": "MIA",
    "mia_class_matched": "matched",
}


def _row(case: str, name: str, numbers: dict[str, float], times: str = " | | ") -> str:
    cells = " | ".join(f"{100 * numbers[metric]:.1f}" for metric in COLUMNS)
    return f"| {case} | {name} | {cells} | {times} |"


def _table() -> str:
    header = ["case", "method", *COLUMNS.values(), "s", "share", "live view"]
    rows = [
        "# Methods on CIFAR-10, compact, default settings, seed 0",
        "",
        "`python -m benchmarks.methods --data ../shared/data/cifar10 --ship`; percent. Time: of "
        "unlearning, without measuring; share: of retraining (its steps at the rate measured just "
        "before); live view: what it cost beside, as a share of unlearning.",
        "",
        f"| {' | '.join(header)} |",
        "| --- |" + " --- |" * (len(header) - 1),
    ]
    for case in CASES:
        lines = [line for line in LOG.lines() if line["case"] == case]
        for name in ("before", "retrained"):
            if lines and lines[0][name]:
                rows.append(_row(case, name, lines[0][name]))
        for line in lines:
            seconds = line["seconds"]
            share = seconds["unlearning"] / line["retraining_seconds"]
            watching = seconds["watching"] / seconds["unlearning"]
            times = f"{seconds['unlearning']:.1f} | {100 * share:.1f} % | {100 * watching:.1f} %"
            rows.append(_row(case, line["method"], line["after"], times))
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    main()
