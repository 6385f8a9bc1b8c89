"""Tunes every method alike on the tuning base, where no test image is looked at.

For each method and case the same number of trials: first the settings as they stand, then what
Optuna's sampler by Gaussian processes makes of the trials before, within a factor of `WIDTH` around
them. All trials of a method take about one share of retraining's time: after the first, how long
it runs is scaled to `--budget`. A trial is judged by what the verdict reads, in points: the mean,
over its kinds of signals, of the distance to the ideal, where damage counts only below it. It is
broken off before the images to keep are measured, for no signal on the forget set needs them: its
line is no finished run.

The tuning base was trained on 45,000 images; its "test" images are the 5,000 training images that
it never saw. What stands in results/trials.jsonl is not run again, and what comes next depends on
nothing but these lines.

    python -m benchmarks.trials --data ../shared/data/cifar10 --processes 2
    python -m benchmarks.trials --data ../shared/data/cifar10 --methods fine_tune scrub --trials 4
    python -m benchmarks.trials --table
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
import itertools
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

from benchmarks import CLASS, RANDOM, RESULTS
from benchmarks.log import Line, Log
from benchmarks.sweeps import COMPARED, numbers, retraining_seconds
from core.data.dataset import ImageDataset
from core.data.load import load_dataset
from core.data.names import TUNING
from core.data.request_text import parse_request
from core.errors import LabError
from core.runs.offered_data import offered_data
from core.runs.plan import Plan
from core.runs.run import Run, Snapshot
from core.runs.task import prepare
from core.runs.verdicts import verdict_of
from core.unlearners import METHODS
from core.verdict import Verdict

DATASET, LOG = TUNING, Log("trials.jsonl")
CASES = (RANDOM, CLASS)
TRIALS = 8
WIDTH = 8.0
SEARCHED: Mapping[str, tuple[str, ...]] = {
    "amnesiac": ("learning_rate",),
    "amun": ("learning_rate",),
    "anchored_fine_tune": ("learning_rate", "anchor"),
    "bad_teacher": ("learning_rate", "retain_share"),
    "boundary_expand": ("learning_rate",),
    "boundary_shrink": ("learning_rate",),
    "cf_k": ("learning_rate", "blocks"),
    "cfw": ("learning_rate", "noise"),
    "ct": ("learning_rate",),
    "delete": ("learning_rate",),
    "descent_to_delete": ("l2",),
    "eu_k": ("learning_rate", "blocks"),
    "faded_teacher": ("learning_rate", "fading_rate", "kept_per_forgotten"),
    "fcs": ("learning_rate", "forget_rate", "contrast_rate"),
    "fine_tune": ("learning_rate",),
    "fisher": ("alpha",),
    "influence_cg": ("damping", "scale"),
    "influence_woodfisher": ("damping", "scale"),
    "l1_sparse": ("learning_rate", "gamma"),
    "lfssd": ("alpha", "dampening"),
    "msg": ("learning_rate", "share"),
    "neg_grad": ("learning_rate",),
    "neg_grad_plus": ("learning_rate", "beta"),
    "newton_head": ("l2",),
    "not_negate": ("learning_rate",),
    "puma": ("l2", "scale"),
    "random_labels": ("learning_rate",),
    "salun": ("learning_rate", "share"),
    "scrub": ("forget_rate", "retain_rate"),
    "scrub_r": ("forget_rate", "retain_rate"),
    "sfron": ("learning_rate", "forget_rate"),
    "ssd": ("alpha", "dampening"),
    "unsir": ("impair_rate", "repair_rate"),
}
"""What is tuned of each method: how strongly it acts, not for how long."""
LENGTHS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(SEARCHED, ("epochs",)),
    **dict.fromkeys(("random_labels", "salun", "fcs"), ("rehearsal",)),
    **dict.fromkeys(("scrub", "scrub_r"), ("retain_share",)),
    **dict.fromkeys(("descent_to_delete", "lfssd", "newton_head", "puma", "ssd"), ()),
    "faded_teacher": ("fading", "epochs"),
    "influence_cg": ("samples",),
    "influence_woodfisher": ("retain_epochs",),
    "sfron": ("steps",),
    "unsir": ("share",),
}
"""What of each method says for how long it runs; of a closed form nothing."""
BUDGET = 0.1
DIVERGED = 100.0
"""The distance of a trial that broke off, in points."""
Space = dict[str, BaseDistribution]
Settings = Mapping[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what the log lacks, a round of trials after the other, then writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--methods", nargs="*", default=COMPARED)
    parser.add_argument("--cases", nargs="*", default=CASES)
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--budget", type=float, default=BUDGET, help="share of retraining's time")
    parser.add_argument("--processes", type=int, default=1, help="trials at a time")
    parser.add_argument("--table", action="store_true", help="write the table, run nothing")
    options = parser.parse_args(arguments)
    if not options.table:
        dataset = load_dataset(DATASET, options.data)
        pairs = list(itertools.product(options.cases, options.methods))
        with joblib.Parallel(n_jobs=options.processes, return_as="generator_unordered") as work:
            for round_ in range(options.trials):
                lines = LOG.lines()
                plans = [
                    (case, options.budget, plan)
                    for case, method in pairs
                    if len(known(lines, case, method, options.budget)) <= round_
                    and (plan := proposed(lines, case, method, options.budget, dataset))
                ]
                asked = (joblib.delayed(trial)(*each, options.data) for each in plans)
                for line in work(asked):
                    LOG.add(line)
                    about = line["case"], line["method"], line["searched"], line["distance"]
                    took = f"{line['seconds']} s, {100 * line['share']:.1f} % of retraining"
                    print(f"round {round_ + 1}:", *about, took, flush=True)
    found = table(LOG.lines())
    (RESULTS / "trials.md").write_text(found)
    print(found)


def known(lines: Sequence[Line], case: str, method: str, budget: float | None = None) -> list[Line]:
    """The trials of a method for a case, of one budget or of all, in the order in which they were
    made."""
    return [
        line
        for line in lines
        if (line["case"], line["method"]) == (case, method) and budget in (None, line["budget"])
    ]


def proposed(
    lines: Sequence[Line], case: str, method: str, budget: float, dataset: ImageDataset
) -> Plan | None:
    """The next trial of a method for a case: as its preset has it, at another budget than the first
    one's as the best trial so far has it, and then what the sampler makes of the trials before; as
    long as the budget asks for, as far as that is known. None where it cannot be run."""
    plan = Plan("compact", dataset.name, parse_request(case), method)
    try:
        task = prepare(plan, dataset=dataset)
        unlearner = task.method
        unlearner.check(offered_data(dataset, task.parts, unlearner.needs, task.base))
        start = unlearner.settings()
    except LabError as error:
        print(f"{case}, {method}: {error}")
        return None
    tried = known(lines, case, method)
    if not tried:
        return replace(plan, settings=start)
    before = known(tried, case, method, budget)
    long = lengths(method, (before or tried)[-1], budget)
    if not before:
        return replace(plan, settings={**start, **_best(tried)["searched"], **long})
    space = space_of(method, before[0]["searched"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        drawn = hashlib.sha256(f"{case} {method} {budget} {len(before)}".encode()).digest()
        sampler = optuna.samplers.GPSampler(
            seed=int.from_bytes(drawn[:4]), n_startup_trials=3, deterministic_objective=True
        )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=sampler)
    for line in before:
        study.add_trial(
            optuna.trial.create_trial(
                params=line["searched"], distributions=space, value=line["distance"]
            )
        )
    return replace(plan, settings={**start, **study.ask(space).params, **long})


def lengths(method: str, last: Line, budget: float) -> dict[str, float]:
    """How long a method is to run for the budget, from a trial of it: its lengths, all scaled
    alike, within what the method allows. As they were where the trial took a tenth more or less, or
    was broken off."""
    now = {name: last["settings"][name] for name in LENGTHS[method]}
    if not last["share"] or abs(last["share"] / budget - 1) < 0.1:
        return now
    found: dict[str, float] = {}
    for field in fields(METHODS[method]):
        if field.name in now:
            scaled = now[field.name] * budget / last["share"]
            scaled = min(max(scaled, field.metadata["low"]), field.metadata["high"])
            whole = isinstance(field.default, int)
            found[field.name] = round(scaled) if whole else float(f"{scaled:.3g}")
    return found


def space_of(method: str, start: Settings) -> Space:
    """Where to search: within a factor of `WIDTH` around the first trial, or at most half of what
    is left to an end of the range, and within the range that the method allows."""
    space: Space = {}
    for field in fields(METHODS[method]):
        if field.name not in SEARCHED[method]:
            continue
        low, high, at = field.metadata["low"], field.metadata["high"], start[field.name]
        if isinstance(field.default, int):
            space[field.name] = IntDistribution(int(low), int(high))
        elif high == 1 and not field.metadata["log"]:  # a share
            space[field.name] = FloatDistribution(at / 2, at + (1 - at) / 2)
        else:
            ends = max(low, at / WIDTH), min(high, at * WIDTH)
            space[field.name] = FloatDistribution(*ends, log=True)
    return space


@functools.cache
def _retraining(dataset: str, case: str, folder: Path | None) -> float:
    """Seconds, here and now: once for all trials of a worker."""
    return retraining_seconds(Plan("compact", dataset, parse_request(case), "retrain"), folder)


def trial(case: str, budget: float, plan: Plan, folder: Path | None) -> Line:
    """A line of the log. In a worker."""
    run, seconds, error = None, 0.0, ""
    try:
        for item in until_judged(plan, folder):
            if isinstance(item, Snapshot):
                seconds = item.seconds
            else:
                run = item
    except LabError as caught:
        error = str(caught)
    verdict = verdict_of(run) if run else None
    return {
        "case": case,
        "budget": budget,
        "method": plan.method,
        "searched": {name: plan.settings[name] for name in SEARCHED[plan.method]},
        "settings": dict(plan.settings),
        "distance": round(distance(verdict), 3),
        "verdict": verdict and verdict.word,
        "numbers": numbers(run.after.metrics()) if run and run.after else {},
        "seconds": round(seconds, 1),
        "share": round(seconds / _retraining(plan.dataset, case, folder), 4),
        "ideal": run.reference if run else "",
        "error": error,
    }


def until_judged(plan: Plan, folder: Path | None) -> Iterator[Snapshot | Run]:
    """What a run yields until the verdict on the forget set stands, inside too; the images to keep
    are not measured."""
    verdicts = 0
    with contextlib.closing(prepare(plan, folder=folder).run()) as running:
        for item in running:
            yield item
            verdicts += isinstance(item, Run) and item.after is not None
            if verdicts == 2:
                return


def distance(verdict: Verdict | None) -> float:
    """Points from the ideal: the mean over the kinds of signals, each the mean of its signals."""
    if verdict is None:
        return DIVERGED
    kinds: dict[str, list[float]] = {}
    for signal in verdict.signals:
        away = signal.difference.value
        kinds.setdefault(signal.kind, []).append(
            max(0.0, -away) if signal.kind == "damage" else abs(away)
        )
    found = 100 * float(np.mean([np.mean(values) for values in kinds.values()]))
    return found if math.isfinite(found) else DIVERGED


def table(lines: Sequence[Line]) -> str:
    """The best trial of each method, by case, the nearest first; with its line, for the presets."""
    rows = [
        "# Every method, tuned alike\n",
        "`python -m benchmarks.trials`; CIFAR-10, compact, on the tuning base; the best of each "
        "method's trials, and the first, which has its preset's settings. Distance: points from "
        "the ideal, the mean over answers, outputs, inside and damage. No test image was looked "
        "at.\n",
    ]
    for case, budget in dict.fromkeys((line["case"], line["budget"]) for line in lines):
        rows += [
            f"## {case}, {100 * budget:g} % of retraining\n",
            "| method | trials | distance | first | settings | verdict | share | line |",
            "| --- | --- | --- | --- | --- | --- | --- | --- |",
        ]
        methods = dict.fromkeys(
            line["method"] for line in lines if (line["case"], line["budget"]) == (case, budget)
        )
        best = {name: _best(known(lines, case, name, budget)) for name in methods}
        for name, line in sorted(best.items(), key=lambda item: item[1]["distance"]):
            some = known(lines, case, name, budget)
            settings = {**line["searched"], **{k: line["settings"][k] for k in LENGTHS[name]}}
            searched = ", ".join(f"{k} {v:.3g}" for k, v in settings.items())
            cells = [
                name, len(some), f"{line['distance']:.2f}", f"{some[0]['distance']:.2f}", searched,
                line["verdict"] or line["error"], f"{100 * line['share']:.1f} %",
                lines.index(line) + 1,
            ]  # fmt: skip
            rows.append(f"| {' | '.join(map(str, cells))} |")
        rows.append("")
    return "\n".join(rows).rstrip() + "\n"


def _best(lines: Sequence[Line]) -> Line:
    return min(lines, key=lambda line: float(line["distance"]))


if __name__ == "__main__":
    main()
