"""The course report's story on the compact model: a whole class is forgotten, three seeds.

1. Fine-tuning with the shipped preset: the plain attack is high, the class-matched one is not.
2. Retained test accuracy after an aggressive rate, after the same rate with an anchor, and after a
   lower rate without one, all at a forget accuracy of at most .05: what does the anchor give back?

Each run is one line of JSON in the log, and one that is there is not run again.

    python benchmarks/story.py --data ../shared/data/cifar10
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from core.__main__ import report
from core.data import ImageDataset, load_dataset
from core.experiment import run_plan
from core.folders import SHIPPED
from core.forget_sets import ForgetRequest
from core.results import Plan, Run

RESULTS = Path(__file__).parent / "results"
LOG = RESULTS / "story.jsonl"
SUMMARY = SHIPPED / "story.json"
REQUEST = ForgetRequest.of_classes("automobile")
RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "preset fine-tune": ("fine_tune", {}),
    "aggressive rate": ("fine_tune", {"learning_rate": 0.4, "epochs": 0.6}),
    "aggressive rate, anchored": (
        "anchored_fine_tune",
        {"learning_rate": 0.4, "epochs": 0.6, "anchor": 0.01},
    ),
    "lower rate": ("fine_tune", {"learning_rate": 0.1, "epochs": 0.6}),
}


def main() -> None:
    """Runs what the log lacks, then writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    dataset = load_dataset("cifar10", options.data)
    for seed in range(options.seeds):
        for name, (method, settings) in RUNS.items():
            plan = Plan("compact", "cifar10", REQUEST, method, settings, seed)
            if not _logged(plan):
                _run(name, plan, dataset)
    (RESULTS / "story.md").write_text(_table())
    SUMMARY.write_text(json.dumps(_summary(), indent=1) + "\n")
    print(_table())


def _lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in LOG.read_text().splitlines()] if LOG.exists() else []


def _summary() -> list[dict[str, Any]]:
    """For the app: one row a run, and one for the model before and the retrained one."""
    lines = _lines()
    rows = [{"name": line["name"], "seed": line["plan"]["seed"], **line["after"]} for line in lines]
    for name in ("before", "retrained"):
        if lines[-1][name]:
            rows.append({"name": name, **lines[-1][name]})
    return rows


def _logged(plan: Plan) -> bool:
    return any(line["plan"] == plan.to_dict() for line in _lines())


def _run(name: str, plan: Plan, dataset: ImageDataset) -> None:
    for item in run_plan(plan, dataset=dataset):
        if isinstance(item, Run) and item.status == "finished":
            found = report(item)
            kept = ("plan", "settings", "before", "after", "retrained", "seconds", "versions")
            with LOG.open("a") as log:
                log.write(json.dumps({"name": name, **{key: found[key] for key in kept}}) + "\n")
            print(name, plan.seed, found["after"], found["seconds"], flush=True)


def _table() -> str:
    columns = {
        "forget_accuracy": "forget acc.",
        "retained_test_accuracy": "retained test acc.",
        "mia": "MIA, plain",
        "mia_class_matched": "MIA, class-matched",
    }
    lines = _lines()
    rows = [
        "# Forgetting the class automobile, compact on CIFAR-10",
        "",
        "`python benchmarks/story.py --data ../shared/data/cifar10`; mean over seeds, the range in "
        "brackets; percent. Seconds are of the machine as it was, other work beside it.",
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
