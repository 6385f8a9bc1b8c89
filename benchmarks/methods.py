"""Every method on CIFAR-10, compact, with its default settings: how near it comes to the retrained
reference, and its time as a fraction of retraining.

Retraining's time is its steps times the rate measured just before each run. Retain accuracy is
measured on 10,000 retained images drawn once. A run that is in the log is not run again.

    python -m benchmarks.methods --data ../shared/data/cifar10
    python -m benchmarks.methods --data FOLDER --cases random:0.1 --best 10 --seeds 3
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import RESULTS
from benchmarks.bench import CLASS, RANDOM, Bench, Log, average_gap, summary
from core.errors import LabError
from core.folders import SHIPPED
from core.forget_sets import ForgetRequest
from core.unlearners import METHODS

LOG = Log("methods.jsonl")
CASES = (RANDOM, CLASS)
SKIPPED = ("retrain", "sisa")
"""The reference itself, and a method with a training of its own."""


def main() -> None:
    """Runs what the log lacks, then writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--cases", nargs="*", default=CASES)
    parser.add_argument("--methods", nargs="*", default=[m for m in METHODS if m not in SKIPPED])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--best", type=int, help="only the so many nearest to the reference so far")
    options = parser.parse_args()
    bench = Bench("cifar10", options.data, retain_sample=10_000)
    for case in options.cases:
        methods = best(case, options.best) if options.best else options.methods
        for seed, method in itertools.product(range(options.seeds), methods):
            _run(bench, case, method, seed)
    (RESULTS / "methods.md").write_text(_table())
    (SHIPPED / "methods.json").write_text(json.dumps(_for_the_app(), indent=1) + "\n")
    print(_table())


def _run(bench: Bench, case: str, method: str, seed: int) -> None:
    request = ForgetRequest.parse(case)
    try:
        plan = {"case": case} | bench.plan(method, request, {}, seed)
        if LOG.has(plan):
            return
        seconds = bench.retraining_seconds(request)
        line = bench.trial(plan)
    except LabError as error:
        print(case, method, error, flush=True)
        return
    LOG.add(line | {"retraining_seconds": round(seconds, 1)})
    print(case, summary(line), f"of {seconds:.0f} s", flush=True)


def best(case: str, count: int) -> list[str]:
    """The methods nearest to the reference with seed 0."""
    lines = [line for line in _last(case) if line["seed"] == 0]
    return [line["method"] for line in sorted(lines, key=lambda line: line["gap"])[:count]]


def _last(case: str) -> list[dict[str, Any]]:
    """The latest line of each method and seed: the one with today's defaults."""
    found = {(x["method"], x["seed"]): x for x in LOG.lines() if x["case"] == case}
    return list(found.values())


COLUMNS = {
    "forget_accuracy": "UA",
    "retain_accuracy": "RA",
    "test_accuracy": "TA",
    "retained_test_accuracy": "TA retained",
    "mia": "MIA",
    "mia_class_matched": "MIA matched",
}


def _cells(numbers: Sequence[dict[str, float]]) -> list[str]:
    """Percent, the mean over seeds; UA is 100 - forget accuracy."""
    cells = []
    for name in COLUMNS:
        values = [100 * found[name] for found in numbers if name in found]
        value = statistics.mean(values) if values else float("nan")
        cells.append(f"{100 - value if name == 'forget_accuracy' else value:.1f}")
    return cells


def _table() -> str:
    header = ["case", "method", "seeds", *COLUMNS.values(), "gap", "s", "share"]
    rows = [
        "# Methods on CIFAR-10, compact, default settings",
        "",
        "`python -m benchmarks.methods --data ../shared/data/cifar10`; percent, means over seeds "
        "(gaps with their range). Gap: mean absolute difference, in points, to the retrained "
        "reference in UA, RA, TA and MIA; for a class in TA retained and MIA matched. Share: of "
        "retraining, its steps at the rate measured just before. Retrained again: from another "
        "seed. Nearest first.",
        "",
        f"| {' | '.join(header)} |",
        "| --- |" + " --- |" * (len(header) - 1),
    ]
    said: list[str] = []
    for case in CASES:
        lines = _last(case)
        for name in ("before", "retrained", "retrained_again"):
            if numbers := next((line[name] for line in reversed(lines) if line[name]), None):
                gap = average_gap(numbers, lines[-1]["retrained"], ForgetRequest.parse(case))
                cells = [case, name.replace("_", " "), "", *_cells([numbers]), f"{gap:.2f}", "", ""]
                rows.append(f"| {' | '.join(cells)} |")
        by_method: dict[str, list[dict[str, Any]]] = {}
        for line in lines:
            by_method.setdefault(line["method"], []).append(line)
        for method, runs in sorted(by_method.items(), key=lambda item: _gap(item[1])):
            gaps = [run["gap"] for run in runs]
            span = f" ({min(gaps):.2f}-{max(gaps):.2f})" if len(gaps) > 1 else ""
            seconds = statistics.median(run["seconds"]["unlearning"] for run in runs)
            share = statistics.median(_share(run) for run in runs)
            cells = [
                case,
                method,
                str(len(runs)),
                *_cells([run["after"] for run in runs]),
                f"{_gap(runs):.2f}{span}",
                f"{seconds:.1f}",
                f"{100 * share:.1f} %",
            ]
            rows.append(f"| {' | '.join(cells)} |")
        if by_method:
            best = min(by_method, key=lambda name: _gap(by_method[name]))
            alone = [name for name in by_method if "retain" not in METHODS[name].needs]
            without = min(alone, key=lambda name: _gap(by_method[name]), default=None)
            said.append(
                f"{case}: nearest is {best} ({_gap(by_method[best]):.2f})"
                + (
                    f"; of those that read no image to keep, {without} "
                    f"({_gap(by_method[without]):.2f})."
                    if without
                    else "."
                )
            )
    return "\n".join([*rows, "", *said]) + "\n"


def _gap(runs: Sequence[dict[str, Any]]) -> float:
    return statistics.mean(run["gap"] for run in runs)


def _share(run: dict[str, Any]) -> float:
    return float(run["seconds"]["unlearning"] / run["retraining_seconds"])


def _for_the_app() -> list[dict[str, Any]]:
    """One row a case and method, of seed 0; retraining's is that of another seed."""
    rows = []
    for case in CASES:
        runs = _last(case)
        again = next((run for run in reversed(runs) if run["retrained_again"]), None)
        if again:
            numbers = again["retrained_again"]
            gap = average_gap(numbers, again["retrained"], ForgetRequest.parse(case))
            seconds = statistics.median(run["retraining_seconds"] for run in runs)
            rows.append(_row(case, "retrain", gap, numbers, seconds, 1.0))
        for run in runs:
            if run["seed"] == 0:
                seconds = run["seconds"]["unlearning"]
                rows.append(
                    _row(case, run["method"], run["gap"], run["after"], seconds, _share(run))
                )
    return rows


def _row(
    case: str, method: str, gap: float, numbers: dict[str, float], seconds: float, share: float
) -> dict[str, Any]:
    return {
        "case": case,
        "method": method,
        "gap": gap,
        "spy": numbers["mia_class_matched" if case == CLASS else "mia"],
        "forget_accuracy": numbers["forget_accuracy"],
        "retained_test_accuracy": numbers["retained_test_accuracy"],
        "seconds": seconds,
        "share": round(share, 4),
    }


if __name__ == "__main__":
    main()
