"""Tries settings of methods on the tuning base, where no test image is looked at.

The tuning base was trained on 45,000 images; its "test" images are the 5,000 training images that
it never saw. Retain accuracy is measured on 5,000 retained images. A trial that is in the log is
not run again. (The first lines of the log were taken over all images, by an earlier version.)

    python -m benchmarks.tune --data ../shared/data/cifar10            # the list below
    python -m benchmarks.tune --data ../shared/data/cifar10 \\
        --method fine_tune --forget random:0.1 --set learning_rate=0.1 --set epochs=1.2
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.bench import CLASS, RANDOM, Bench, Log, summary
from core.forget_sets import ForgetRequest

TRIALS: list[tuple[str, str, dict[str, Any]]] = [
    ("neg_grad", RANDOM, {"learning_rate": 6e-4}),
    ("neg_grad", RANDOM, {"learning_rate": 7e-4}),
    ("anchored_fine_tune", RANDOM, {"learning_rate": 0.2, "epochs": 0.8, "anchor": 0.002}),
    ("fine_tune", RANDOM, {"learning_rate": 0.2, "epochs": 0.8}),
    ("neg_grad_plus", RANDOM, {"learning_rate": 0.01, "epochs": 5.0, "beta": 0.97}),
    ("anchored_fine_tune", CLASS, {"learning_rate": 0.3, "epochs": 0.6, "anchor": 0.003}),
    ("neg_grad", CLASS, {"learning_rate": 4e-4}),
    ("neg_grad_plus", CLASS, {"learning_rate": 0.01, "epochs": 5.0, "beta": 0.97}),
]
"""Method, request, and the settings tried."""


def main() -> None:
    """Runs what the log lacks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--method")
    parser.add_argument("--forget", default=RANDOM)
    parser.add_argument("--set", action="append", default=[])
    options = parser.parse_args()
    trials = TRIALS
    if options.method:
        settings = {name: json.loads(value) for name, value in (s.split("=") for s in options.set)}
        trials = [(options.method, options.forget, settings)]
    bench, log = Bench("cifar10-tuning", options.data, retain_sample=5_000), Log("tuning.jsonl")
    for method, request, settings in trials:
        plan = bench.plan(method, ForgetRequest.parse(request), settings)
        if not log.has(plan):
            line = bench.trial(plan)
            log.add(line)
            print(request, summary(line), flush=True)


if __name__ == "__main__":
    main()
