"""One run from plan to record: a method on a copy of the model, watched live and measured.

Measuring never counts as unlearning: the clock of the method stops while a probe looks. A probe
uses fixed subsamples; the full evaluation comes at the end.
"""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import torch

from core.checkpoints import memorisation, storage
from core.checkpoints.outcomes import evaluate_outcomes, outcomes, outcomes_now
from core.checkpoints.provenance import versions
from core.checkpoints.records import stored_records
from core.checkpoints.references import keep_reference
from core.data.dataset import ImageDataset
from core.data.load import load_dataset
from core.data.splits import split
from core.evaluation import evaluate
from core.ideal import find_reference
from core.models.precision import best_device
from core.runs.live import Watcher
from core.runs.plan import Plan
from core.runs.run import Run, Snapshot
from core.runs.task import case_of, check_data, check_model, describe_data, offered_data
from core.unlearners import make
from core.unlearners.base import Step


def run_plan(
    plan: Plan,
    *,
    folder: str | Path | None = None,
    stop: Callable[[], bool] = lambda: False,
    run_id: str | None = None,
    device: torch.device | str | None = None,
    weights_file: Path | None = None,
    dataset: ImageDataset | None = None,
) -> Iterator[Snapshot | Run]:
    """Unlearns and measures; yields snapshots and, twice, the `Run`: as "running" once the models
    before and retrained are measured, and as the last item.

    The run's seconds: "unlearning", "measuring" (all of it), and of that "watching", the live view
    while the method ran.

    folder: of the images, see `load_dataset`; dataset: in place of loading. stop: asked after each
    batch; once it is true the method ends, and what was done so far is measured and marked
    "partial". weights_file: where the unlearned weights go as well (safetensors).
    Raises LabError for a plan that cannot be run, before anything is changed.
    """
    device = torch.device(device) if device is not None else best_device()
    versions(device)  # says what is wrong with the setting of the precision before any work
    dataset = dataset or load_dataset(plan.dataset, folder)
    parts = split(dataset, plan.request, memorisation.memorisation_scores(dataset))
    method = make(plan.method, plan.settings, case_of(dataset, parts))
    base = storage.find(plan.model, plan.dataset, plan.base)
    check_data(base, dataset)
    check_model(base, method)
    model = base.load(device)
    data = offered_data(
        dataset, parts, method.needs, base, stored_records(base, model, dataset, method.needs)
    )
    method.check(data)
    watcher = Watcher(dataset, parts, plan.seed, plan.request.class_matched)

    started_measuring = time.perf_counter()
    measured = outcomes(base, model, dataset)
    before = evaluate(*measured, dataset.train_labels, dataset.test_labels, parts)
    # A retraining is judged like any other method, by a model that is not itself.
    own_seed = plan.seed if plan.method == "retrain" else None
    reference = find_reference(plan.model, dataset, parts, other_than=own_seed)
    retrained = None
    if reference is not None:
        retrained = evaluate_outcomes(reference, reference.load(device), dataset, parts)
    watcher.measuring += time.perf_counter() - started_measuring
    yield watcher.known(Step(0, 0), 0.0, *measured)

    with method.own_precision():
        made_with = versions(device)
    record = Run(
        id=run_id or new_run_id(),
        plan=plan,
        status="running",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        settings=method.settings(),
        seconds={"unlearning": 0.0, "measuring": round(watcher.measuring, 3)},
        versions=made_with,
        data=describe_data(dataset, parts, base),
        before=before,
        retrained=retrained,
        reference=reference.sha256 if reference else "",
    )
    yield record

    generator = torch.Generator().manual_seed(plan.seed)
    unlearning = 0.0
    step = Step(0, 0)
    steps = method.run(model, data, generator)
    while True:
        clock = time.perf_counter()
        following = next(steps, None)
        _synchronise(device)
        unlearning += time.perf_counter() - clock
        if following is None:
            break
        step = following
        stopping = stop() and step.done < step.total
        snapshot = watcher.after(model, step, unlearning)
        if snapshot is not None:
            yield snapshot
        if stopping:
            steps.close()
            break

    measuring = Step(step.done, step.total, step.loss, "measuring")
    yield watcher.look(model, measuring, unlearning, 0.0)
    clock = time.perf_counter()
    measured = outcomes_now(model, dataset)
    after = evaluate(*measured, dataset.train_labels, dataset.test_labels, parts)
    watcher.measuring += time.perf_counter() - clock
    yield watcher.known(measuring, unlearning, *measured)
    finished = step.done == step.total
    if plan.method == "retrain" and finished and reference is None:
        keep_reference(model, plan.request, plan.seed, dataset, parts, base, after, unlearning)
    yield dataclasses.replace(
        record,
        status="finished" if finished else "partial",
        seconds={
            "unlearning": round(unlearning, 3),
            "measuring": round(watcher.measuring, 3),
            "watching": round(watcher.watching, 3),
        },
        after=after,
        retrained=retrained,
        replay=tuple(watcher.replay),
        weights_sha256=storage.save_weights(model, weights_file) if weights_file else "",
        reference=reference.sha256 if reference else "",
        steps_done=step.done,
        total_steps=step.total,
    )


def new_run_id() -> str:
    """Short, unguessable enough for a link, and unique."""
    return uuid.uuid4().hex[:12]


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
