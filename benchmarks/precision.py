"""Whether the defaults give the same verdict in float32 and in bfloat16, on CIFAR-10, compact.

The most important runs come first, and one that has its line in results/precision-*.jsonl is not
run again, so that it can be broken off at any time. A method that declares float32 computes alike
in both and runs once; a test of the conformance suite holds it to its declaration.

    python -m benchmarks.precision --data ../shared/data/cifar10
    python -m benchmarks.precision --table    # from the logs, runs nothing
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import CLASS, MEMORISED, RANDOM, RESULTS
from benchmarks.log import Line, Log
from benchmarks.sweeps import numbers, planned, run_all
from core.data.load import load_dataset
from core.data.request_text import parse_request
from core.unlearners import METHODS
from core.verdict import Signal, Verdict, verdict_on

NEAREST = (
    "faded_teacher",
    "cf_k",
    "eu_k",
    "fine_tune",
    "anchored_fine_tune",
    "cfw",
    "descent_to_delete",
    "l1_sparse",
    "influence_cg",
    "puma",
)
"""To retraining, of a random tenth; see results/methods.md."""
QUEUE = [
    *(("fine_tune", case, 0) for case in (RANDOM, CLASS, MEMORISED)),
    *((method, RANDOM, 0) for method in NEAREST if method != "fine_tune"),
    *(("fine_tune", MEMORISED, seed) for seed in (1, 2)),
    *(("fine_tune", RANDOM, seed) for seed in (1, 2)),
    *((method, CLASS, 0) for method in NEAREST if method != "fine_tune"),
]
"""Method, request and seed; the first three are the runs that the app ships."""
DATASET = "cifar10"
LOGS = {name: Log(f"precision-{name}.jsonl") for name in ("float32", "bfloat16")}
"""A plan is the same in both: each precision has its own log, and its own store."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what the logs lack, then writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--methods", nargs="*", default=METHODS)
    parser.add_argument("--precisions", nargs="*", default=LOGS, choices=LOGS)
    parser.add_argument("--table", action="store_true", help="write the table, run nothing")
    options = parser.parse_args(arguments)
    if not options.table:
        dataset = load_dataset(DATASET, options.data)
        for method, case, seed in QUEUE:
            for precision in options.precisions:
                alone = METHODS[method].precision == "float32" != precision
                if method in options.methods and not alone:
                    os.environ["FORGETTING_LAB_PRECISION"] = precision
                    plan = planned(dataset, case, method, seed=seed)
                    run_all(
                        [plan],
                        LOGS[precision],
                        folder=options.data,
                        store=f"benchmarks-{precision}",
                    )
    found = table({name: log.lines() for name, log in LOGS.items()})
    (RESULTS / "precision.md").write_text(found)
    print(found)


def table(logs: Mapping[str, Sequence[Line]]) -> str:
    """One row a run, as Markdown. logs: by precision."""
    rows = [
        "# The verdict on the defaults in float32 and in bfloat16: CIFAR-10, compact",
        "",
        "`python -m benchmarks.precision --data ../shared/data/cifar10`; percent. MIA: the fair "
        "attack, class-matched for a class. Gap: to the retrained reference, in points. A core of "
        "an AMD Zen 4 for each precision, which multiplies in bfloat16 itself.",
        "",
        "| case | method | seed | precision | forget | MIA | retain | test | gap | s | verdict |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    agree, differ, once = [], [], []
    for method, case, seed in QUEUE:
        wanted = {"method": method, "seed": seed, "request": parse_request(case).to_dict()}
        alone = METHODS[method].precision == "float32"
        words = []
        for precision, lines in logs.items():
            runs = [line for line in lines if line["plan"] == line["plan"] | wanted]
            if not runs:
                continue
            after, verdict = numbers(runs[-1]["metrics"]["after"]), read_again(runs[-1])
            words.append(verdict and (verdict.word, verdict.damaged))
            attack = "mia_class_matched" if case == CLASS else "mia"
            shown = ("forget_accuracy", attack, "retain_accuracy", "test_accuracy")
            cells = [f"{100 * after[name]:.1f}" for name in shown]
            kind = "float32 always" if alone else precision
            gap, seconds = runs[-1]["gap"], runs[-1]["seconds"]["unlearning"]
            row = [case, method, str(seed), kind, *cells, f"{gap:.2f}", f"{seconds:.0f}"]
            rows.append(f"| {' | '.join([*row, _said(verdict)])} |")
            if alone:
                once.append(f"{method} ({case})")
        if len(words) == 2:
            (agree if words[0] == words[1] else differ).append(f"{method} ({case}, seed {seed})")
    rows += [
        "",
        f"The same verdict in both: {', '.join(agree) or 'none'}.",
        "",
        f"Another one: {', '.join(differ) or 'none'}.",
        "",
        f"Float32 by their own declaration, so one run: {', '.join(once) or 'none'}.",
    ]
    return "\n".join(rows) + "\n"


def read_again(line: Line) -> Verdict | None:
    """The verdict by today's rules on what was measured then."""
    if line["verdict"] is None:
        return None
    return verdict_on([Signal.from_dict(fields) for fields in line["verdict"]["signals"]])


def _said(verdict: Verdict | None) -> str:
    if verdict is None:
        return "none"
    damage = f"; damaged: {', '.join(verdict.damaged)}" if verdict.damaged else ""
    return f"{verdict.word} ({100 * verdict.share:.0f} % of the way){damage}"


if __name__ == "__main__":
    main()
