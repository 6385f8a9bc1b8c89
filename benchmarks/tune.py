"""Tries settings of methods on the tuning base, where no test image is looked at.

The tuning base was trained on 45,000 images; its "test" images are the 5,000 training images that
it never saw. Retain accuracy is measured on 5,000 retained images. A trial that is in the log is
not run again. (The first lines of the log were taken over all images, by an earlier version.)

Started twice (with OMP_NUM_THREADS=1), two processes share the work.

    python -m benchmarks.tune --data ../shared/data/cifar10    # every method's defaults, and more
    python -m benchmarks.tune --data ../shared/data/cifar10 \\
        --methods fine_tune --cases random:0.1 --set learning_rate=0.1 --set epochs=1.2
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from benchmarks.bench import CLASS, RANDOM, Bench, Log, summary
from core.data.request_text import parse_request
from core.errors import BadRequest
from core.files import cache_folder
from core.unlearners import METHODS

SKIPPED = ("retrain", "sisa")
"""The reference itself, and a method with a training of its own."""
FURTHER: list[tuple[str, str, dict[str, Any]]] = [
    ("influence_cg", RANDOM, {"scale": 4.0}),
    ("influence_cg", RANDOM, {"scale": 10.0}),
    ("delete", CLASS, {"epochs": 1.1, "learning_rate": 3e-4}),
    ("delete", CLASS, {"epochs": 1.1, "learning_rate": 1.5e-4}),
    ("boundary_shrink", CLASS, {"epochs": 0.6, "learning_rate": 1e-4}),
    ("boundary_expand", CLASS, {"epochs": 1.3, "learning_rate": 1e-4}),
    ("newton_head", CLASS, {"l2": 10.0}),
    ("newton_head", CLASS, {"l2": 3.0}),
    ("newton_head", RANDOM, {"l2": 0.1}),
    ("puma", CLASS, {"scale": 10.0}),
    ("puma", CLASS, {"scale": 40.0}),
    ("puma", RANDOM, {"scale": 10.0}),
    ("descent_to_delete", RANDOM, {"l2": 10_000.0, "iterations": 200}),
    ("ssd", CLASS, {"alpha": 3.0}),
    ("ssd", CLASS, {"alpha": 4.0, "dampening": 0.5}),
    ("lfssd", CLASS, {"alpha": 3.0}),
    ("random_labels", RANDOM, {"epochs": 1, "rehearsal": 0.4, "learning_rate": 0.01}),
    ("random_labels", RANDOM, {"epochs": 1, "rehearsal": 0.4, "learning_rate": 0.02}),
    ("salun", RANDOM, {"epochs": 1, "rehearsal": 0.35, "learning_rate": 0.015}),
    ("scrub", RANDOM, {"max_rounds": 3, "forget_rate": 0.005, "retain_rate": 0.01}),
    ("amun", RANDOM, {"learning_rate": 0.06, "attack_steps": 2}),
    ("amun", RANDOM, {"learning_rate": 0.035, "attack_steps": 2}),
    ("cf_k", RANDOM, {"blocks": 3, "epochs": 0.7, "learning_rate": 0.2}),
    ("fine_tune", RANDOM, {"epochs": 0.6, "learning_rate": 0.14}),
    ("anchored_fine_tune", RANDOM, {"epochs": 0.6, "learning_rate": 0.16}),
    ("not_negate", RANDOM, {"learning_rate": 0.07}),
    ("ct", RANDOM, {"learning_rate": 0.07}),
    ("influence_cg", RANDOM, {"scale": 2.0}),
    ("sfron", RANDOM, {"forget_rate": 0.03}),
    ("bad_teacher", RANDOM, {"learning_rate": 2e-5}),
    ("amnesiac", RANDOM, {"epochs": 2.5, "learning_rate": 3e-5}),
    ("descent_to_delete", RANDOM, {"l2": 40_000.0, "iterations": 100}),
    ("random_labels", CLASS, {"learning_rate": 1e-3}),
    ("random_labels", CLASS, {"learning_rate": 3e-3}),
    ("salun", CLASS, {"learning_rate": 1e-3}),
    ("salun", CLASS, {"learning_rate": 3e-3}),
    ("scrub", CLASS, {"forget_rate": 1e-3}),
    ("neg_grad", CLASS, {"epochs": 1.3, "learning_rate": 3e-4}),
    ("delete", CLASS, {"epochs": 1.1, "learning_rate": 7e-5}),
    ("boundary_shrink", CLASS, {"epochs": 0.6, "learning_rate": 4e-5}),
    ("boundary_expand", CLASS, {"epochs": 1.3, "learning_rate": 4e-5}),
    ("lfssd", CLASS, {"alpha": 5.0}),
    ("amun", CLASS, {"learning_rate": 2e-3, "attack_steps": 2}),
    ("influence_cg", CLASS, {"scale": 10.0}),
    ("influence_cg", CLASS, {"scale": 6.0}),
    ("influence_cg", CLASS, {"scale": 8.0}),
    ("influence_woodfisher", CLASS, {"scale": 10.0}),
    ("influence_woodfisher", CLASS, {"scale": 6.0}),
    ("influence_woodfisher", CLASS, {"scale": 8.0}),
    ("amnesiac", CLASS, {"learning_rate": 2e-4}),
    ("amnesiac", CLASS, {"learning_rate": 4e-4}),
    ("neg_grad_plus", CLASS, {"learning_rate": 0.01, "beta": 0.95}),
    ("neg_grad_plus", CLASS, {"learning_rate": 0.03, "beta": 0.95}),
    ("neg_grad_plus", CLASS, {"learning_rate": 0.003, "beta": 0.95}),
    ("neg_grad_plus", CLASS, {"learning_rate": 0.006, "beta": 0.98}),
    ("neg_grad_plus", RANDOM, {"learning_rate": 0.01, "beta": 0.95}),
    ("neg_grad_plus", RANDOM, {"learning_rate": 0.03, "beta": 0.95}),
    ("neg_grad_plus", RANDOM, {"learning_rate": 0.01, "beta": 0.9}),
    ("neg_grad_plus", RANDOM, {"learning_rate": 0.006, "beta": 0.8}),
    ("fcs", CLASS, {"forget_rate": 3e-4, "contrast_rate": 1e-5}),
    ("bad_teacher", CLASS, {"learning_rate": 2e-4}),
    ("amun", CLASS, {"learning_rate": 5e-3}),
    ("fisher", CLASS, {"alpha": 1e-10}),
]
"""Method, request, and what is tried instead of the defaults: at most four a method and case."""


def main() -> None:
    """Runs what the log lacks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--methods", nargs="*", default=[m for m in METHODS if m not in SKIPPED])
    parser.add_argument("--cases", nargs="*", default=[RANDOM, CLASS])
    parser.add_argument("--set", action="append", default=[], help="in place of a default")
    options = parser.parse_args()
    settings = {name: json.loads(value) for name, value in (s.split("=") for s in options.set)}
    trials = [(name, case, settings) for case in options.cases for name in options.methods]
    if not settings:
        trials += [t for t in FURTHER if t[0] in options.methods and t[1] in options.cases]
    bench, log = Bench("cifar10-tuning", options.data, retain_sample=5_000), Log("tuning.jsonl")
    for method, request, changed in trials:
        plan = bench.plan(method, parse_request(request), changed)
        try:
            with FileLock(_claim(plan), timeout=0):
                if not log.has(plan):
                    line = bench.trial(plan)
                    log.add(line)
                    print(request, summary(line), flush=True)
        except Timeout:
            continue  # another process is at it
        except BadRequest as error:
            print(request, method, error, flush=True)


def _claim(plan: dict[str, Any]) -> Path:
    """The file whose lock says that some process runs this trial."""
    folder = cache_folder() / "tuning"
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()[:16]
    return folder / f"{name}.lock"


if __name__ == "__main__":
    main()
