"""The course report's story on the compact model: a whole class is forgotten, three seeds.

1. Fine-tuning with the shipped preset: the plain attack is high, the class-matched one is not.
2. Retained test accuracy after an aggressive rate, after the same rate with an anchor, and after a
   lower rate without one, all at a forget accuracy of at most .05: what does the anchor give back?

Each run is one line of JSON in the log, and one that is there is not run again.

    python -m benchmarks.story --data ../shared/data/cifar10
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from benchmarks import RESULTS
from benchmarks.bench import CLASS, Bench, Log
from core.data.request_text import parse_request
from core.files import SHIPPED

LOG = Log("story.jsonl")
SUMMARY = SHIPPED / "story.json"
REQUEST = parse_request(CLASS)
RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "preset fine-tune": ("fine_tune", {}),
    "aggressive rate": ("fine_tune", {"learning_rate": 0.3, "epochs": 0.6}),
    "aggressive rate, anchored": (
        "anchored_fine_tune",
        {"learning_rate": 0.3, "epochs": 0.6, "anchor": 0.003},
    ),
    "lower rate": ("fine_tune", {"learning_rate": 0.15, "epochs": 0.6}),
}


def main() -> None:
    """Runs what the log lacks, then writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    bench = Bench("cifar10", options.data, retain_sample=5_000)
    for seed in range(options.seeds):
        for name, (method, settings) in RUNS.items():
            plan = {"name": name} | bench.plan(method, REQUEST, settings, seed)
            if not LOG.has(plan):
                line = bench.trial(plan)
                LOG.add(line)
                print(name, seed, line["after"], line["seconds"], flush=True)
    (RESULTS / "story.md").write_text(_table())
    SUMMARY.write_text(json.dumps(_summary(), indent=1) + "\n")
    print(_table())


def _summary() -> list[dict[str, Any]]:
    """For the app: one row a run, and one for the model before and the retrained one."""
    lines = LOG.lines()
    rows = [
        {"name": line["name"], "seed": line["seed"], **line["after"]}
        for line in lines
        if line["name"] in RUNS
    ]
    for name in ("before", "retrained"):
        if lines[-1][name]:
            rows.append({"name": name, **lines[-1][name]})
    return rows


def _table() -> str:
    columns = {
        "forget_accuracy": "forget acc.",
        "retained_test_accuracy": "retained test acc.",
        "mia": "MIA, plain",
        "mia_class_matched": "MIA, class-matched",
    }
    lines = LOG.lines()
    rows = [
        "# Forgetting the class automobile, compact on CIFAR-10",
        "",
        "`python -m benchmarks.story --data ../shared/data/cifar10`; mean over seeds, the range in "
        "brackets; percent.",
        "",
        "| model | seeds | " + " | ".join(columns.values()) + " |",
        "| --- |" + " --- |" * (1 + len(columns)),
    ]
    fixed = {name: lines[-1][name] for name in ("before", "retrained") if lines[-1][name]}
    for name, numbers in fixed.items():
        cells = [f"{100 * numbers[column]:.1f}" for column in columns]
        rows.append(f"| {name} | | " + " | ".join(cells) + " |")
    for name in RUNS:
        found = [line["after"] for line in lines if line["name"] == name]
        if not found:
            continue
        cells = []
        for column in columns:
            values = [100 * numbers[column] for numbers in found]
            cells.append(f"{statistics.mean(values):.1f} ({min(values):.1f}-{max(values):.1f})")
        rows.append(f"| {name} | {len(found)} | " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    main()
