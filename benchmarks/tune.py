"""Tries settings of a method on the tuning base, where no test image is looked at.

The tuning base was trained on 45,000 images; its "test" images are the 5,000 training images that
it never saw. Each trial is logged as one line of JSON, and a trial that is in the log is not run
again, so the script can be broken off and started anew.

    python benchmarks/tune.py --data ../shared/data/cifar10 \
        --method fine_tune --forget random:0.1 --set learning_rate=0.1 --set epochs=1.2
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from core.__main__ import report
from core.data import load_dataset
from core.experiment import run_plan
from core.forget_sets import ForgetRequest
from core.results import Plan, Run

LOG = Path(__file__).parent / "results" / "tuning.jsonl"


def main() -> None:
    """One trial, unless the log has it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--method", required=True)
    parser.add_argument("--forget", default="random:0.1")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    settings = {name: float(value) for name, value in (pair.split("=") for pair in options.set)}
    plan = Plan(
        model="compact",
        dataset="cifar10-tuning",
        request=ForgetRequest.parse(options.forget),
        method=options.method,
        settings=settings,
        seed=options.seed,
    )
    done = [json.loads(line) for line in LOG.read_text().splitlines()] if LOG.exists() else []
    if any(trial["plan"] == plan.to_dict() for trial in done):
        print("in the log already")
        return
    dataset = load_dataset("cifar10-tuning", options.data)
    for item in run_plan(plan, dataset=dataset):
        if isinstance(item, Run) and item.status == "finished":
            found = report(item)
            kept = ("plan", "settings", "before", "after", "retrained", "seconds", "versions")
            line = {key: found[key] for key in kept}
            with LOG.open("a") as log:
                log.write(json.dumps(line) + "\n")
            for name in ("before", "after", "retrained"):
                numbers = found[name]
                if numbers:
                    print(f"{name:10}", {key: round(value, 4) for key, value in numbers.items()})
            print(found["seconds"])


if __name__ == "__main__":
    main()
