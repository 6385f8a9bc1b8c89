"""The course report's story on the compact model: a whole class is forgotten, three seeds.

1. Fine-tuning with the shipped preset: the plain attack is high, the class-matched one is not.
2. Retained test accuracy after an aggressive rate, after the same rate with an anchor, and after a
   lower rate without one, all at a forget accuracy of at most .05: what does the anchor give back?

A run that has its line in results/story.jsonl is not run again.

    python -m benchmarks.story --data ../shared/data/cifar10
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import CLASS, RESULTS
from benchmarks.log import Line, Log
from benchmarks.sweeps import numbers, planned, run_all
from core.data.load import load_dataset
from core.files import SHIPPED

DATASET, CASE, LOG = "cifar10", CLASS, Log("story.jsonl")
SUMMARY = SHIPPED / "story.json"
RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "preset fine-tune": ("fine_tune", {"learning_rate": 0.15, "epochs": 1.0}),
    "aggressive rate": ("fine_tune", {"learning_rate": 0.3, "epochs": 0.6}),
    "aggressive rate, anchored": (
        "anchored_fine_tune",
        {"learning_rate": 0.3, "epochs": 0.6, "anchor": 0.003},
    ),
    "lower rate": ("fine_tune", {"learning_rate": 0.15, "epochs": 0.6}),
}
COLUMNS = {
    "forget_accuracy": "forget acc.",
    "retained_test_accuracy": "retained test acc.",
    "mia": "MIA, plain",
    "mia_class_matched": "MIA, class-matched",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what the log lacks, then writes the table and what the app shows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args(arguments)
    dataset = load_dataset(DATASET, options.data)
    plans = [
        planned(dataset, CASE, *run, seed) for seed in range(options.seeds) for run in RUNS.values()
    ]
    run_all(plans, LOG, folder=options.data)
    lines = LOG.lines()
    (RESULTS / "story.md").write_text(table(lines))
    SUMMARY.write_text(json.dumps(summary(lines), indent=1) + "\n")
    print(table(lines))


def name_of(line: Line) -> str:
    """Which of `RUNS` it is of, "" for none."""
    plan = line["plan"]
    for name, (method, changed) in RUNS.items():
        if plan["method"] == method and plan["settings"] == plan["settings"] | changed:
            return name
    return ""


def _fixed(lines: Sequence[Line]) -> dict[str, dict[str, float]]:
    """The model before, and the retrained one."""
    metrics = lines[-1]["metrics"]
    return {name: numbers(metrics[name]) for name in ("before", "retrained") if metrics[name]}


def summary(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """For the app: one row a run, and one for the model before and the retrained one."""
    rows = [
        {"name": name, "seed": line["plan"]["seed"], **numbers(line["metrics"]["after"])}
        for line in lines
        if (name := name_of(line))
    ]
    return rows + [{"name": name, **found} for name, found in _fixed(lines).items()]


def table(lines: Sequence[Line]) -> str:
    """One row a model, as Markdown."""
    rows = [
        "# Forgetting the class automobile, compact on CIFAR-10",
        "",
        "`python -m benchmarks.story --data ../shared/data/cifar10`; mean over seeds, the range in "
        "brackets; percent.",
        "",
        "| model | seeds | " + " | ".join(COLUMNS.values()) + " |",
        "| --- |" + " --- |" * (1 + len(COLUMNS)),
    ]
    for name, found in _fixed(lines).items():
        cells = [f"{100 * found[column]:.1f}" for column in COLUMNS]
        rows.append(f"| {name} | | " + " | ".join(cells) + " |")
    for name in RUNS:
        runs = [numbers(line["metrics"]["after"]) for line in lines if name_of(line) == name]
        if not runs:
            continue
        cells = []
        for column in COLUMNS:
            values = [100 * run[column] for run in runs]
            cells.append(f"{statistics.mean(values):.1f} ({min(values):.1f}-{max(values):.1f})")
        rows.append(f"| {name} | {len(runs)} | " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    main()
