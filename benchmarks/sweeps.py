"""What the benchmarks measure of methods is runs of plans, made by the driver of every sweep.

The runs lie in a store in the cache folder, and of each finished one a line stands in a log under
results/: the run's record without its arrays, and what tables take from the arrays (the average gap
to the retrained model with its interval, and the verdict). A plan that has a line there is not run
again, on a machine with an empty cache either.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from benchmarks.log import Line, Log
from core.data.dataset import ImageDataset
from core.data.images import Images
from core.data.request_text import parse_request
from core.errors import LabError
from core.files import cache_folder
from core.metrics.average_gap import gap
from core.models.registry import architecture_of, recipe_of
from core.runs.plan import Plan
from core.runs.run import Run, Snapshot
from core.runs.run_files import fields_of
from core.runs.shell.report import REPORTED
from core.runs.store.store import Store
from core.runs.sweep import compute, run_id, sweep, to_do
from core.runs.task import Task, prepare
from core.runs.verdicts import verdict_of
from core.training.loop import train
from core.unlearners import METHODS

COMPARED = [method for method in METHODS if method not in ("retrain", "sisa")]
"""All methods but the reference itself and the one with a training of its own."""
STEPS = 11
"""Of retraining, the first of which is not timed."""


def planned(
    dataset: ImageDataset,
    request: str,
    method: str,
    changed: Mapping[str, Any] | None = None,
    seed: int = 0,
    *,
    model: str = "compact",
    forget_seed: int = 0,
) -> Plan:
    """A plan with all settings of its method, so that another default makes it another plan.

    request: as the shell takes it. Raises LabError for what cannot be run.
    """
    wanted = parse_request(request, forget_seed)
    plan = Plan(model, dataset.name, wanted, method, changed or {}, seed)
    return dataclasses.replace(plan, settings=prepare(plan, dataset=dataset).method.settings())


def timed(plan: Plan, folder: Path | None) -> Run:
    """A plan's run; its seconds say as well what retraining would take now. In a worker."""
    anew = {}
    with contextlib.suppress(LabError):  # then the run fails as well, and says why
        anew["retraining"] = round(retraining_seconds(plan, folder), 1)
    run = compute(plan, folder)
    return dataclasses.replace(run, seconds={**run.seconds, **anew})


def retraining_seconds(plan: Plan, folder: Path | None) -> float:
    """Its steps times the rate of some of them, at full size; where the images grow while it
    trains, a step counts by their pixels."""
    task = prepare(dataclasses.replace(plan, method="retrain", settings={}), folder=folder)
    if architecture_of(plan.model).ensemble:
        return _by_its_first_steps(task)
    recipe = recipe_of(task.base.manifest, plan.dataset)
    dataset, retain = task.dataset, torch.from_numpy(task.parts.retain)
    images = Images(dataset.train_images, dataset.train_labels, retain)
    full = dataset.train_images.shape[-1]
    shares = [(recipe.side(epoch, full) / full) ** 2 for epoch in range(recipe.epochs)]
    at_full_size = dataclasses.replace(recipe, growing=0)
    options: dict[str, Any] = {"classes": len(dataset.class_names), "device": task.device}
    with contextlib.closing(train(plan.model, images, at_full_size, 0, **options)) as steps:
        seconds = [progress.seconds for progress in itertools.islice(steps, STEPS)]
    a_step = (seconds[-1] - seconds[0]) / (len(seconds) - 1)
    return a_step * images.steps(recipe.batch_size) * sum(shares)


def _by_its_first_steps(retraining: Task) -> float:
    asked = itertools.count(1)
    running = retraining.run(stop=lambda: next(asked) >= STEPS)
    seen = (item for item in running if isinstance(item, Snapshot) and item.step)
    first = next(seen)
    last = next(item for item in seen if item.phase == "measuring")
    return (last.seconds - first.seconds) / (last.step - first.step) * last.total_steps


def run_all(
    plans: Iterable[Plan],
    log: Log,
    *,
    folder: Path | None = None,
    processes: int = 1,
    store: str = "benchmarks",
    work: Callable[[Plan, Path | None], Run] = timed,
) -> None:
    """Runs what has no line in the log yet, and adds its lines.

    processes: plans at a time; one, so that seconds can be compared. store: the name of the file
    in the cache folder. A plan that cannot be run is said and has no line.
    """
    left = {run_id(plan): plan for plan in plans}
    for line in log.lines():
        left.pop(line["id"], None)
    with contextlib.closing(Store(f"sqlite:///{cache_folder() / store}.sqlite")) as runs:
        missing = to_do(list(left.values()), runs)
        for plan in missing:
            left.pop(run_id(plan))
        for id in left:  # broken off before its line was written
            log.add(line_of(runs.load(id)))
        for progress in sweep(missing, runs, folder=folder, processes=processes, work=work):
            run, said = progress.run, progress.run.error
            if run.status == "finished":
                line = line_of(run)
                log.add(line)
                found = numbers(line["metrics"]["after"])
                rounded = {name: round(value, 3) for name, value in found.items()}
                said = f"gap {line['gap']}, {rounded}, {line['seconds']}"
            what = f"{run.plan.request.describe()}, {run.plan.method}, seed {run.plan.seed}"
            print(f"{progress.done} of {progress.total}: {what}: {said}", flush=True)


def line_of(run: Run) -> Line:
    """What a log keeps of a finished run."""
    line = fields_of(run)
    verdict = verdict_of(run)
    found = gap(run.after, run.retrained, run.plan.request.class_matched)
    return {
        **line,
        "verdict": verdict and verdict.to_dict(),
        "gap": found and round(found.value, 3),
        "interval": found and [round(found.low, 3), round(found.high, 3)],
    }


def numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """What tables show of a model, as fractions; what could not be measured is left out."""
    return {name: measure["value"] for name in REPORTED if (measure := metrics.get(name))}
