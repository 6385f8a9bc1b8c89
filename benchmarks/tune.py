"""Tries settings of methods on the tuning base, where no test image is looked at.

The tuning base was trained on 45,000 images; its "test" images are the 5,000 training images that
it never saw. A trial that has its line in results/tuning.jsonl is not run again. (The first lines
were taken over all images and the later ones over 5,000 of those to keep, by earlier versions.)

    python -m benchmarks.tune --data ../shared/data/cifar10    # every method's defaults
    python -m benchmarks.tune --data ../shared/data/cifar10 --processes 2 \\
        --methods fine_tune --cases random:0.1 --set learning_rate=0.1 --set epochs=1.2
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks import CLASS, RANDOM
from benchmarks.log import Log
from benchmarks.sweeps import COMPARED, planned, run_all
from core.data.load import load_dataset
from core.data.names import TUNING

DATASET, LOG = TUNING, Log("tuning.jsonl")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what the log lacks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--methods", nargs="*", default=COMPARED)
    parser.add_argument("--cases", nargs="*", default=[RANDOM, CLASS])
    parser.add_argument("--set", action="append", default=[], help="in place of a default")
    parser.add_argument("--processes", type=int, default=1, help="trials at a time")
    options = parser.parse_args(arguments)
    changed = {name: json.loads(value) for name, value in (s.split("=") for s in options.set)}
    dataset = load_dataset(DATASET, options.data)
    plans = [
        planned(dataset, case, method, changed)
        for case in options.cases
        for method in options.methods
    ]
    run_all(plans, LOG, folder=options.data, processes=options.processes)


if __name__ == "__main__":
    main()
