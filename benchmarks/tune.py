"""Tries settings of methods on the tuning base, where no test image is looked at.

The tuning base was trained on 45,000 images; its "test" images are the 5,000 training images that
it never saw. Retain accuracy is measured on 5,000 retained images. A trial that is in the log is
not run again. (The first lines of the log were taken over all images, by an earlier version.)

    python -m benchmarks.tune --data ../shared/data/cifar10    # every method's defaults, and more
    python -m benchmarks.tune --data ../shared/data/cifar10 \\
        --method fine_tune --forget random:0.1 --set learning_rate=0.1 --set epochs=1.2
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.bench import CLASS, RANDOM, Bench, Log, summary
from core.errors import BadRequest
from core.forget_sets import ForgetRequest
from core.unlearners import METHODS

SKIPPED = ("retrain", "sisa")
"""The reference itself, and a method with a training of its own."""
FURTHER: list[tuple[str, str, dict[str, Any]]] = []
"""Method, request, and what is tried instead of the defaults: at most four a method and case."""


def main() -> None:
    """Runs what the log lacks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--method")
    parser.add_argument("--forget", default=RANDOM)
    parser.add_argument("--set", action="append", default=[])
    options = parser.parse_args()
    every = [name for name in METHODS if name not in SKIPPED]
    trials = [(name, case, {}) for case in (RANDOM, CLASS) for name in every] + FURTHER
    if options.method:
        settings = {name: json.loads(value) for name, value in (s.split("=") for s in options.set)}
        trials = [(options.method, options.forget, settings)]
    bench, log = Bench("cifar10-tuning", options.data, retain_sample=5_000), Log("tuning.jsonl")
    for method, request, settings in trials:
        plan = bench.plan(method, ForgetRequest.parse(request), settings)
        if log.has(plan):
            continue
        try:
            line = bench.trial(plan)
        except BadRequest as error:
            print(request, method, error, flush=True)
            continue
        log.add(line)
        print(request, summary(line), flush=True)


if __name__ == "__main__":
    main()
