"""A plan with every fact in it resolved: data, split, method, base, ideal; and the run of it.

Measuring never counts as unlearning: the clock of the method stops while a probe looks. A probe
uses fixed subsamples; the full evaluation comes at the end.
"""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch

from core.checkpoints import memorisation, storage
from core.checkpoints.outcomes import evidence_of, samples_of
from core.checkpoints.provenance import versions
from core.checkpoints.records import stored_records
from core.checkpoints.references import keep_reference
from core.checkpoints.storage import Checkpoint
from core.checkpoints.unlearned import keep_unlearned
from core.data.dataset import ImageDataset
from core.data.load import load_dataset
from core.data.splits import Split
from core.evaluation import Passes
from core.ideal import Ideal, find_ideal, fold_models
from core.models.classifier import Classifier
from core.models.precision import best_device
from core.runs import brought
from core.runs.fitting import check_data, check_model
from core.runs.live import Watcher
from core.runs.offered_data import case_of, describe_data, offered_data
from core.runs.plan import Plan
from core.runs.run import Run, Snapshot
from core.runs.stages import LATE, at_once, completed, in_stages, outside
from core.unlearners import make
from core.unlearners.base import Step, Steps, Unlearner


@dataclass(frozen=True)
class Task:
    """What a plan stands for. ideal: what never saw the forget set, None where there is none;
    never the model that the plan itself would train. folds: the models that each left out a tenth
    of the images, None unless all are there.
    """

    plan: Plan
    dataset: ImageDataset
    parts: Split
    method: Unlearner
    base: Checkpoint
    ideal: Ideal | None
    folds: Ideal | None
    device: torch.device

    def start(self) -> tuple[Classifier, Steps]:
        """A copy of the base, and the steps that make it forget, none of them taken yet. Raises
        LabError where the method does not apply to what is to be forgotten."""
        model = self.base.load(self.device)
        records = stored_records(self.base, model, self.dataset, self.method.needs)
        data = offered_data(self.dataset, self.parts, self.method.needs, self.base, records)
        self.method.check(data)
        return model, self.method.run(model, data, torch.Generator().manual_seed(self.plan.seed))

    def run(
        self,
        stop: Callable[[], bool] = lambda: False,
        run_id: str | None = None,
        weights_file: Path | None = None,
        keep: bool = False,
    ) -> Iterator[Snapshot | Run]:
        """Unlearns on a copy of the base and measures; yields snapshots and four times the `Run`:
        as "running" once the models before and retrained are measured and, after the last step,
        once the outputs are judged and again with what is seen inside (see `core.runs.stages`), and
        as the last item.

        The run's seconds: "unlearning", "measuring" (all of it), and of that "watching", the live
        view while the method ran.

        stop: asked after each batch; once it is true the method ends, and what was done so far is
        measured and marked "partial". weights_file: where the unlearned weights go as well
        (safetensors). keep: whether they stay on this machine, for a look inside (see
        `core.checkpoints.unlearned`). Raises LabError.
        """
        plan, dataset, parts, method = self.plan, self.dataset, self.parts, self.method
        model, steps = self.start()
        watcher = Watcher(dataset, parts, plan.seed, plan.request.class_matched)

        started_measuring = time.perf_counter()
        references = self.folds.references(dataset, parts) if self.folds else None
        ideal = None
        if self.ideal:
            ideal = self.ideal.evidence(dataset, parts, references, inside=False)
        base = evidence_of(self.base, model, dataset, parts, references, ideal, inside=False)
        before, retrained = outside(base), outside(ideal) if ideal else None
        watcher.measuring += time.perf_counter() - started_measuring
        yield watcher.known(Step(0, 0), 0.0, base.train, base.test)

        with method.own_precision():
            run_versions = versions(self.device)
        record = Run(
            id=run_id or new_run_id(),
            plan=plan,
            status="running",
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            settings=method.settings(),
            seconds={"unlearning": 0.0, "measuring": round(watcher.measuring, 3)},
            versions=run_versions,
            data=describe_data(dataset, parts, self.base),
            before=before,
            retrained=retrained,
            reference=self.ideal.name if self.ideal else "",
        )
        yield record

        unlearning = 0.0
        step = Step(0, 0)
        while True:
            clock = time.perf_counter()
            next_step = next(steps, None)
            _synchronise(self.device)
            unlearning += time.perf_counter() - clock
            if next_step is None:
                break
            step = next_step
            stopping = stop() and step.done < step.total
            snapshot = watcher.after(model, step, unlearning)
            if snapshot is not None:
                yield snapshot
            if stopping:
                steps.close()
                break

        record = dataclasses.replace(record, steps_done=step.done, total_steps=step.total)
        measuring = Step(step.done, step.total, step.loss, "measuring")
        yield watcher.look(model, measuring, unlearning, 0.0)
        clock = started_measuring = time.perf_counter()
        after = None
        passes = Passes(model, dataset, parts)
        for judged in in_stages(passes, parts):
            evidence = dataclasses.replace(base, train=passes.train, test=passes.test)
            if judged and after is None:
                after = at_once(evidence)
                watcher.measuring += time.perf_counter() - clock
                yield dataclasses.replace(record, after=after, replay=tuple(watcher.replay))
                clock = time.perf_counter()
                if self.ideal and ideal and retrained:
                    samples = self.ideal.samples(dataset, parts)
                    ideal = dataclasses.replace(ideal, samples=samples)
                    retrained = completed(retrained, ideal)
                samples = samples_of(self.base, None, dataset, parts)
                base = dataclasses.replace(base, ideal=ideal, samples=samples)
                record = dataclasses.replace(
                    record, before=completed(before, base), retrained=retrained
                )
                base = dataclasses.replace(base, samples=passes.samples())
                evidence = dataclasses.replace(base, train=passes.train, test=passes.test)
                after = completed(after, evidence, without=LATE)
                watcher.measuring += time.perf_counter() - clock
                yield dataclasses.replace(record, after=after, replay=tuple(watcher.replay))
                clock = time.perf_counter()
                continue
            watcher.measuring += time.perf_counter() - clock
            spent = time.perf_counter() - started_measuring
            yield watcher.look(model, measuring, unlearning, spent / passes.share - spent)
            clock = time.perf_counter()
        assert after is not None
        after = completed(after, evidence)
        watcher.measuring += time.perf_counter() - clock
        yield watcher.known(measuring, unlearning, passes.train, passes.test)
        finished = step.done == step.total
        kept = None
        if keep:
            left = passes.train, passes.test
            kept = keep_unlearned(model, record.id, self.base, dataset, *left)
        weights_sha256 = kept.sha256 if kept else ""
        if weights_file:
            weights_sha256 = storage.save_weights(model, weights_file)
        retrained_anew = plan.method == "retrain" and finished
        if retrained_anew and (self.ideal is None or self.ideal.kind == "folds"):
            keep_reference(
                model, plan.request, plan.seed, dataset, parts, self.base, after, unlearning
            )
        yield dataclasses.replace(
            record,
            status="finished" if finished else "partial",
            seconds={
                "unlearning": round(unlearning, 3),
                "measuring": round(watcher.measuring, 3),
                "watching": round(watcher.watching, 3),
            },
            after=after,
            replay=tuple(watcher.replay),
            weights_sha256=weights_sha256,
        )


def prepare(
    plan: Plan,
    *,
    folder: str | Path | None = None,
    dataset: ImageDataset | None = None,
    device: torch.device | str | None = None,
) -> Task:
    """Resolves a plan. folder: of the images, see `load_dataset`; dataset: in place of loading.
    Raises LabError for a plan that cannot be run; nothing is changed."""
    device = torch.device(device) if device is not None else best_device()
    versions(device)  # says what is wrong with the setting of the precision before any work
    dataset = dataset or load_dataset(plan.dataset, folder)
    parts = memorisation.split_of(dataset, plan.request)
    method: Unlearner
    if plan.method == brought.NAME:
        method = brought.method_of(plan, len(dataset.class_names))
    else:
        method = make(plan.method, plan.settings, case_of(dataset, parts))
    base = storage.find(plan.model, plan.dataset, plan.base)
    check_data(base, dataset)
    check_model(base, method)
    # A retraining is judged like any other method, by a model that is not itself.
    excluded_seed = plan.seed if plan.method == "retrain" else None
    ideal = find_ideal(plan.model, dataset, parts, other_than=excluded_seed)
    folds = fold_models(plan.model, dataset)
    return Task(plan, dataset, parts, method, base, ideal, folds, device)


def new_run_id() -> str:
    """Short, unguessable enough for a link, and unique."""
    return uuid.uuid4().hex[:12]


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
