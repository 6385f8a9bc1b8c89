"""Every method on CIFAR-10, compact, with its default settings: how near it comes to the retrained
reference, and its time as a fraction of retraining; beside them the controls that forget nothing.

Retraining's time is its steps times the rate measured just before each run. A run that has its line
in results/methods.jsonl is not run again. What the table says stands in `benchmarks.methods_table`.

    python -m benchmarks.methods --data ../shared/data/cifar10
    python -m benchmarks.methods --data FOLDER --cases random:0.1 --best 10 --seeds 3
    python -m benchmarks.methods --table       # writes the table from the logs, runs nothing
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks import RESULTS, controls
from benchmarks.log import Log
from benchmarks.methods_table import for_the_app, latest, table
from benchmarks.sweeps import COMPARED, planned, run_all
from core.data.load import load_dataset
from core.files import SHIPPED

DATASET, LOG, SUMMARY = "cifar10", Log("methods.jsonl"), SHIPPED / "methods.json"


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what the log lacks, then writes the table and what the app shows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--cases", nargs="*", default=controls.CASES)
    parser.add_argument("--methods", nargs="*", default=COMPARED)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--best", type=int, help="only the so many nearest to the reference so far")
    parser.add_argument("--table", action="store_true", help="write the table, run nothing")
    options = parser.parse_args(arguments)
    if not options.table:
        dataset = load_dataset(DATASET, options.data)
        controls.measure(dataset)
        for case in options.cases:
            methods = best(case, options.best) if options.best else options.methods
            plans = [
                planned(dataset, case, method, seed=seed)
                for seed in range(options.seeds)
                for method in methods
            ]
            run_all(plans, LOG, folder=options.data)
    logged = LOG.lines(), controls.LOG.lines()
    (RESULTS / "methods.md").write_text(table(*logged))
    SUMMARY.write_text(json.dumps(for_the_app(*logged), indent=1) + "\n")
    print(table(*logged))


def best(case: str, count: int) -> list[str]:
    """The methods nearest to the reference with seed 0."""
    lines = [line for line in latest(LOG.lines(), case) if line["plan"]["seed"] == 0]
    ranked = sorted(lines, key=lambda line: line["gap"])
    return [line["plan"]["method"] for line in ranked[:count]]


if __name__ == "__main__":
    main()
