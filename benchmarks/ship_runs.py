"""The finished CIFAR-10 runs that the app ships, made as the app makes them; and what the live view
cost in each.

    python -m benchmarks.ship_runs --data ../shared/data/cifar10
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks import CLASS, MEMORISED, RANDOM, RESULTS
from core.data.load import load_dataset
from core.data.request_text import parse_request
from core.files import SHIPPED
from core.runs.plan import Plan
from core.runs.run import Run
from core.runs.run_files import run_to_files
from core.runs.shell.report import report
from core.runs.task import prepare

CASES = (RANDOM, CLASS, MEMORISED)
FOLDER = SHIPPED / "runs"


def main() -> None:
    """Replaces what is shipped of a method and writes results/live-view.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--cases", nargs="*", default=CASES)
    parser.add_argument("--method", default="fine_tune")
    options = parser.parse_args()
    dataset = load_dataset("cifar10", options.data)
    costs = {}
    for case in options.cases:
        plan = Plan("compact", "cifar10", parse_request(case), options.method)
        for item in prepare(plan, dataset=dataset).run():
            if isinstance(item, Run) and item.status == "finished":
                for old in FOLDER.glob("*.json"):
                    if json.loads(old.read_text())["plan"] == item.plan.to_dict():
                        old.unlink()
                        old.with_suffix(".npz").unlink()
                run_to_files(item, FOLDER)
                costs[case] = {
                    **item.seconds,
                    "watching_share": round(
                        item.seconds["watching"] / item.seconds["unlearning"], 4
                    ),
                }
                print(case, report(item)["after"], costs[case], flush=True)
    found = {
        "command": "python -m benchmarks.ship_runs --data ../shared/data/cifar10",
        "method": options.method,
        "seconds": costs,
    }
    (RESULTS / "live-view.json").write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
