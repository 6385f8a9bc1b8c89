"""One run from plan to record: a method on a copy of the model, watched live and measured.

Measuring never counts as unlearning: the clock of the method stops while a probe looks. A probe
uses fixed subsamples; the full evaluation comes at the end.
"""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core import checkpoints
from core.attacks.simple_mia import accuracy
from core.checkpoints import Checkpoint
from core.data import ImageDataset, load_dataset
from core.errors import BadRequest
from core.evaluation import Outcome, evaluate, per_image
from core.forget_sets import Indices, Split, split
from core.models import Classifier, best_device, training_precision
from core.provenance import versions
from core.records import stored_records
from core.references import (
    evaluate_outcomes,
    find_reference,
    fits,
    keep_reference,
    outcomes,
    outcomes_now,
)
from core.results import Losses, Plan, Probe, Run, Snapshot
from core.subsets import Images
from core.training import recipe_of
from core.unlearners import make
from core.unlearners.base import Need, Step, Unlearner, UnlearningData

PROBE_IMAGES = 500
ROLLING_IMAGES = 32
WATCHING_SHARE = 0.08
"""Of unlearning time, below which probes that are not due are taken as well."""
SNAPSHOT_SECONDS = 0.25
ROLLING_SECONDS = 1.0


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
    parts = split(dataset, plan.request, checkpoints.memorisation_scores(dataset))
    method = make(plan.method, plan.settings, case_of(dataset, parts))
    base = checkpoints.find(plan.model, plan.dataset, plan.base)
    _check_data(base, dataset)
    _check_model(base, method)
    model = base.load(device)
    data = offered_data(
        dataset, parts, method.needs, base, stored_records(base, model, dataset, method.needs)
    )
    method.check(data)
    watcher = _Watcher(dataset, parts, plan.seed, plan.request.class_matched)

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
        weights_sha256=checkpoints.save_weights(model, weights_file) if weights_file else "",
        reference=reference.sha256 if reference else "",
        steps_done=step.done,
        total_steps=step.total,
    )


def new_run_id() -> str:
    """Short, unguessable enough for a link, and unique."""
    return uuid.uuid4().hex[:12]


def case_of(dataset: ImageDataset, parts: Split) -> str:
    """Which of a method's presets fits: "digits" for that small data set, else "class" if some
    class is forgotten whole, else "random"."""
    if dataset.name == "digits":
        return "digits"
    labels = dataset.train_labels.numpy()
    gone = set(np.unique(labels[parts.forget])) - set(np.unique(labels[parts.retain]))
    return "class" if gone else "random"


def offered_data(
    dataset: ImageDataset,
    parts: Split,
    needs: frozenset[Need],
    base: Checkpoint,
    records: Mapping[Need, Callable[..., Any]] | None = None,
) -> UnlearningData:
    """The parts of the training data that a method declared, and how the base was trained."""
    every: dict[Need, Indices] = {"retain": parts.retain, "forget": parts.forget}
    architecture = str(base.manifest["architecture"])
    return UnlearningData(
        parts={
            name: Images(dataset.train_images, dataset.train_labels, torch.from_numpy(indices))
            for name, indices in every.items()
            if name in needs
        },
        architecture=architecture,
        classes=len(dataset.class_names),
        recipe=recipe_of(base.manifest, dataset.name),
        forgotten_classes=forgotten_classes(dataset, parts),
        records=records or {},
    )


def forgotten_classes(dataset: ImageDataset, parts: Split) -> tuple[int, ...]:
    """The classes to forget where the forget set is exactly all images of these, else empty."""
    labels = dataset.train_labels.numpy()
    gone = np.unique(labels[parts.forget])
    if np.isin(gone, labels[parts.retain]).any():
        return ()
    return tuple(gone.tolist())


def describe_data(dataset: ImageDataset, parts: Split, base: Checkpoint) -> dict[str, Any]:
    """What the record says of the data."""
    trained_on = base.manifest["fingerprint"]
    return {
        "dataset": dataset.name,
        "source": dataset.source,
        "fingerprint": dataset.fingerprint,
        "model_trained_on_same_pixels": trained_on == dataset.fingerprint,
        "forget": len(parts.forget),
        "retain": len(parts.retain),
        "test": len(parts.test),
        "forget_digest": parts.digest,
    }


def _check_data(base: Checkpoint, dataset: ImageDataset) -> None:
    """Weights never meet other data in silence; other pixels in the same order are allowed, and
    the record says so (`model_trained_on_same_pixels`)."""
    if not fits(base, dataset):
        raise BadRequest(
            f"The {base.manifest['architecture']} model was trained on other images than these.",
            "Train one on them: python -m core train",
        )


def _check_model(base: Checkpoint, method: Unlearner) -> None:
    """An ensemble has no single head or features, and what retrains it is its own method."""
    if base.manifest["architecture"] == "sisa" and "shards" not in method.needs:
        raise BadRequest(
            f"{method.label} changes a single network, and this model is an ensemble of several.",
            "Choose the method sisa, or the model compact.",
        )


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class _Watcher:
    """Looks at a model while a method changes it, on the clock of its own."""

    def __init__(self, dataset: ImageDataset, parts: Split, seed: int, matched: bool) -> None:
        self.measuring = 0.0
        self.watching = 0.0
        self.replay: list[Snapshot] = []
        self._dataset = dataset
        draw = np.random.default_rng(0)
        # Where the fair question takes test images of the same classes, what must stay useful is
        # measured on others: a third sample, and all three together no larger than two are.
        self._matched = matched
        fair = parts.test_class_matched if self._matched else parts.test
        size = PROBE_IMAGES * 2 // 3 if self._matched else PROBE_IMAGES
        self._forget, self._test = (
            np.sort(draw.permutation(indices)[:size]) for indices in (parts.forget, fair)
        )
        self._useful = self._test
        if self._matched:
            self._useful = np.sort(draw.permutation(parts.test_retained)[:size])
        self._draw = np.random.default_rng(seed)
        self._last_snapshot = 0.0
        self._last_probe_cost = 0.0
        self._last_rolling = 0.0

    def after(self, model: Classifier, step: Step, seconds: float) -> Snapshot | None:
        """A snapshot if one is due after this step.

        Probes come at each quarter, and twice between two quarters where all looking so far has
        cost little; the one at the end comes with the full evaluation.
        """
        quarter = step.done in {round(step.total * k / 4) for k in (1, 2, 3)}
        twelfth = step.done in {round(step.total * k / 12) for k in range(1, 12)}
        affordable = self.watching + self._last_probe_cost <= WATCHING_SHARE * seconds
        probe = quarter or (twelfth and affordable)
        if not probe and step.done > 1 and seconds - self._last_snapshot < SNAPSHOT_SECONDS:
            return None
        self._last_snapshot = seconds
        remaining = seconds / step.done * (step.total - step.done) if step.done >= 3 else None
        rolling = not probe and seconds - self._last_rolling >= ROLLING_SECONDS
        return self.look(model, step, seconds, remaining, probe, rolling)

    def known(self, step: Step, seconds: float, train: Outcome, test: Outcome) -> Snapshot:
        """A snapshot with a probe taken from a full evaluation: nothing is computed again."""
        some = train.at(self._forget), test.at(self._test), test.at(self._useful)
        return self._keep(step, seconds, None if step.total == 0 else 0.0, self._probe(*some))

    def look(
        self,
        model: Classifier,
        step: Step,
        seconds: float,
        remaining: float | None,
        probe: bool = False,
        rolling: bool = False,
    ) -> Snapshot:
        """A snapshot of this moment, with a probe or a rolling sample if asked for."""
        clock = time.perf_counter()
        found = None
        small: tuple[Losses | None, Losses | None] = (None, None)
        if probe:
            found = self._probe(*self._outcomes(model, self._forget, self._test, self._useful))
        if rolling:
            self._last_rolling = seconds
            picked = self._pick(self._forget), self._pick(self._test)
            forget, test, _ = self._outcomes(model, *picked, self._useful[:0])
            small = forget.losses, test.losses
        cost = time.perf_counter() - clock
        self.measuring += cost
        self.watching += cost
        if probe:
            self._last_probe_cost = cost
        return self._keep(step, seconds, remaining, found, *small)

    def _keep(
        self,
        step: Step,
        seconds: float,
        remaining: float | None,
        probe: Probe | None,
        rolling_forget: Losses | None = None,
        rolling_test: Losses | None = None,
    ) -> Snapshot:
        snapshot = Snapshot(
            step=step.done,
            total_steps=step.total,
            phase=step.phase,
            seconds=seconds,
            measuring_seconds=self.measuring,
            remaining=remaining,
            training_loss=step.loss,
            rolling_forget=rolling_forget,
            rolling_test=rolling_test,
            probe=probe,
        )
        if probe is not None:
            self.replay.append(snapshot)
        return snapshot

    def _pick(self, indices: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return self._draw.permutation(indices)[:ROLLING_IMAGES]

    def _probe(self, forget: Outcome, test: Outcome, useful: Outcome) -> Probe:
        labels, test_labels = self._dataset.train_labels, self._dataset.test_labels
        return Probe(
            forget_losses=forget.losses,
            test_losses=test.losses,
            forget_accuracy=float(np.mean(forget.predictions == labels[self._forget].numpy())),
            test_accuracy=float(np.mean(useful.predictions == test_labels[self._useful].numpy())),
            mia=accuracy(forget.losses, test.losses),
            matched=self._matched,
        )

    def _outcomes(
        self, model: Classifier, forget: Indices, test: Indices, useful: Indices
    ) -> tuple[Outcome, Outcome, Outcome]:
        """All in one pass, in training precision: what a live view shows needs no more digits."""
        dataset = self._dataset
        again = useful if self._matched else useful[:0]  # else they are the test sample itself
        chosen, others = torch.from_numpy(forget), torch.from_numpy(np.concatenate([test, again]))
        images = torch.cat([dataset.train_images[chosen], dataset.test_images[others]])
        labels = torch.cat([dataset.train_labels[chosen], dataset.test_labels[others]])
        with training_precision(next(model.parameters()).device):
            every = per_image(model, images, labels)
        n, m = len(forget), len(forget) + len(test)
        seen = every.at(slice(n, m))
        return every.at(slice(n)), seen, every.at(slice(m, None)) if self._matched else seen
