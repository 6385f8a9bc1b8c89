"""Whether the defaults give the same verdict in float32 and in bfloat16, on CIFAR-10, compact.

First the runs, the most important ones first: what the log has is not run again, so that it can be
broken off at any time. Each leaves what the model makes of every image that was measured in
results/precision/. Retain accuracy is measured on 5,000 retained images drawn once. A method that
declares float32 computes alike in both and runs once; a test of the conformance suite holds it to
its declaration. Then the table, from what was kept, with the verdict of `core.verdict` as it is.

    python -m benchmarks.precision --data ../shared/data/cifar10
    python -m benchmarks.precision --data ../shared/data/cifar10 --runs 0    # only the table
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from benchmarks import RESULTS
from benchmarks.bench import CLASS, MEMORISED, RANDOM, Bench, Log, summary
from core.checkpoints.outcomes import outcomes
from core.checkpoints.spread import retraining_spread
from core.checkpoints.storage import REFERENCE_SEED
from core.data.request_text import parse_request
from core.data.requests import ForgetRequest
from core.data.splits import Split
from core.evaluation import evaluate
from core.metrics.evidence import Outcome
from core.unlearners import METHODS
from core.verdict import Verdict, judge

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
BOTH = ("float32", "bfloat16")
LOG, FOLDER = Log("precision.jsonl"), RESULTS / "precision"


class Keeping(Bench):
    """A bench that keeps the outcomes it measured last."""

    last: tuple[Outcome, Outcome]

    def outcomes(self, model: nn.Module, parts: Split) -> tuple[Outcome, Outcome]:
        self.last = super().outcomes(model, parts)
        return self.last


def main() -> None:
    """Runs what the log lacks, then writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--runs", type=int, help="at most so many")
    parser.add_argument("--methods", nargs="*", default=METHODS)
    parser.add_argument("--cases", nargs="*", default=(RANDOM, CLASS, MEMORISED))
    parser.add_argument("--seeds", nargs="*", type=int, default=(0, 1, 2))
    options = parser.parse_args()
    bench = Keeping("cifar10", options.data, retain_sample=5_000)
    FOLDER.mkdir(exist_ok=True)
    done = 0
    for method, case, seed, precision in _all_runs():
        if done == options.runs:
            break
        if method in options.methods and case in options.cases and seed in options.seeds:
            done += _run(bench, method, case, seed, precision)
    table = _table(bench)
    (RESULTS / "precision.md").write_text(table)
    print(table)


def _all_runs() -> Iterator[tuple[str, str, int, str]]:
    for method, case, seed in QUEUE:
        for precision in BOTH:
            if METHODS[method].precision == "auto" or precision == "float32":
                yield method, case, seed, precision


def _plan(bench: Bench, method: str, case: str, seed: int, precision: str) -> dict[str, Any]:
    plan = bench.plan(method, parse_request(case), {}, seed)
    return {"case": case, "precision": precision} | plan


def _run(bench: Keeping, method: str, case: str, seed: int, precision: str) -> bool:
    plan = _plan(bench, method, case, seed, precision)
    if LOG.has(plan):
        return False
    os.environ["FORGETTING_LAB_PRECISION"] = precision
    line = bench.trial(plan)
    assert line["versions"]["training_precision"] == precision
    parts = bench.seen(bench.split(parse_request(case)))
    train, test = bench.last
    some = train.at(np.concatenate([parts.forget, parts.retain]))
    file = f"{method}-{case.replace(':', '-')}-{seed}-{precision}.npz"
    np.savez_compressed(
        FOLDER / file,
        losses=some.losses.astype(np.float16),
        predictions=some.predictions.astype(np.uint8),
        test_losses=test.losses.astype(np.float16),
        test_predictions=test.predictions.astype(np.uint8),
    )
    LOG.add(line | {"outcomes": file})
    print(case, precision, summary(line), flush=True)
    return True


def _verdict(bench: Bench, line: dict[str, Any]) -> Verdict | None:
    request = ForgetRequest.from_dict(line["request"])
    whole = bench.split(request)
    parts = bench.seen(whole)
    with np.load(FOLDER / line["outcomes"]) as kept:
        n = len(bench.dataset.train_labels)
        train = Outcome(np.full(n, np.nan, np.float32), np.full(n, -1, np.int64))
        chosen = np.concatenate([parts.forget, parts.retain])
        train.losses[chosen], train.predictions[chosen] = kept["losses"], kept["predictions"]
        test = Outcome(
            kept["test_losses"].astype(np.float32), kept["test_predictions"].astype(np.int64)
        )
    labels = bench.dataset.train_labels, bench.dataset.test_labels
    before = outcomes(bench.base, bench.base.load(), bench.dataset)
    retrained = bench.reference(whole, REFERENCE_SEED)
    assert retrained is not None
    models = (
        evaluate(*measured, *labels, parts) for measured in (before, (train, test), retrained)
    )
    spread = retraining_spread("compact", "cifar10")
    return judge(*models, request, spread)


def _table(bench: Bench) -> str:
    rows = [
        "# The verdict on the defaults in float32 and in bfloat16: CIFAR-10, compact",
        "",
        "`python -m benchmarks.precision --data ../shared/data/cifar10`; percent. MIA: the fair "
        "attack, class-matched for a class. Gap: to the retrained reference, in points. One of two "
        "cores of an AMD Zen 3, which has no bfloat16: there convolutions round as autocast's do "
        "and multiply in float32 (`core.models.precision`), since PyTorch's own take 11 "
        "times as long. Compared with the processor's autocast in `tests/core/test_models.py`.",
        "",
        "| case | method | seed | precision | forget | MIA | retain | test | gap | s | verdict |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    agree, differ, once = [], [], []
    for method, case, seed in dict.fromkeys((m, c, s) for m, c, s, _ in _all_runs()):
        words = []
        for precision in BOTH:
            plan = _plan(bench, method, case, seed, precision)
            lines = [x for x in LOG.lines() if all(x.get(k) == v for k, v in plan.items())]
            if not lines:
                continue
            line = lines[-1]
            judged = _verdict(bench, line)
            words.append((judged.word, judged.damaged) if judged else None)
            said = _said(judged)
            after = line["after"]
            spy = after["mia_class_matched" if case == CLASS else "mia"]
            shown = (
                after["forget_accuracy"],
                spy,
                after["retain_accuracy"],
                after["test_accuracy"],
            )
            cells = [f"{100 * value:.1f}" for value in shown]
            alone = METHODS[method].precision == "float32"
            kind = "float32 always" if alone else precision
            seconds = f"{line['seconds']['unlearning']:.0f}"
            row = [case, method, str(seed), kind, *cells, f"{line['gap']:.2f}", seconds, said]
            rows.append(f"| {' | '.join(row)} |")
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


def _said(judged: Verdict | None) -> str:
    if judged is None:
        return "none"
    damage = f"; damaged: {', '.join(judged.damaged)}" if judged.damaged else ""
    return f"{judged.word} ({100 * judged.share:.0f} % of the way){damage}"


if __name__ == "__main__":
    main()
