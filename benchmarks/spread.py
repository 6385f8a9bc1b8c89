"""How far apart two models lie that were retrained without the same images from different seeds.

What is smaller than twice that is luck: `core.verdict` takes it as a margin. Reads the outcomes of
the shipped references, so it takes seconds.

    python -m benchmarks.spread --data ../shared/data/cifar10
"""

from __future__ import annotations

import argparse
import json
import math
from itertools import combinations
from pathlib import Path

from benchmarks.bench import CLASS, MEMORISED, RANDOM, Bench
from core import checkpoints
from core.evaluation import evaluate
from core.folders import SHIPPED
from core.forget_sets import ForgetRequest
from core.references import find_reference, outcomes
from core.results import Evaluation
from core.verdict import judge


def main() -> None:
    """Writes models_cache/spread.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    bench = Bench("cifar10", options.data)
    squares: dict[str, list[float]] = {}
    pairs = 0
    for case in (RANDOM, CLASS, MEMORISED):
        request = ForgetRequest.parse(case)
        for first, second in combinations(_retrained(bench, request), 2):
            pairs += 1
            verdict = judge(first, first, second, request)
            assert verdict is not None
            for signal in verdict.signals:
                # Half the squared difference of two draws estimates their variance.
                squares.setdefault(signal.name, []).append(signal.difference.value**2 / 2)
    found = {
        "compact-cifar10": {
            "command": "python -m benchmarks.spread --data ../shared/data/cifar10",
            "pairs": pairs,
            "standard_deviations": {
                name: round(math.sqrt(sum(values) / len(values)), 5)
                for name, values in squares.items()
            },
        }
    }
    (SHIPPED / "spread.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


def _retrained(bench: Bench, request: ForgetRequest) -> list[Evaluation]:
    """Each model retrained without these images, measured."""
    parts, data = bench.split(request), bench.dataset
    found = []
    for seed in checkpoints.retrained_seeds("compact", data.name, parts.digest):
        reference = find_reference("compact", data, parts, seed)
        assert reference is not None
        measured = outcomes(reference, reference.load(), data)
        found.append(evaluate(*measured, data.train_labels, data.test_labels, parts))
    return found


if __name__ == "__main__":
    main()
