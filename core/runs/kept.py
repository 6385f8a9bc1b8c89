"""A run that somebody waits for, kept in the store as it goes and however it ends."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

from core.data.dataset import ImageDataset
from core.errors import LabError
from core.runs.plan import Plan
from core.runs.record import new_run_id, run_plan
from core.runs.run import Run, Snapshot
from core.runs.store.store import Store

PROGRESS_SECONDS = 1.0


def kept_run(
    plan: Plan,
    store: Store,
    *,
    dataset: ImageDataset,
    stop: Callable[[], bool],
    weights_file: Path | None,
    show: Callable[[Snapshot], None],
) -> tuple[Run, LabError | None]:
    """Unlearns and measures as `run_plan` does, and shows each snapshot. Gives the run, and why it
    could not be saved, None where it was: then this is all that there will be of it.

    The store has the run as soon as it has begun, then its progress, then its result. One that ends
    in an error is kept as failed, with the reason; the error is raised.
    """
    run: Run | None = None
    noted = 0.0
    try:
        for item in run_plan(
            plan, dataset=dataset, stop=stop, run_id=new_run_id(), weights_file=weights_file
        ):
            if isinstance(item, Run):
                run = item
                if item.status == "running":
                    store.begin(item)
                continue
            if run is not None and time.monotonic() - noted > PROGRESS_SECONDS:
                noted = time.monotonic()
                with contextlib.suppress(LabError):  # no reason to lose the run
                    store.progress(run.id, item.step, item.total_steps)
            show(item)
    except BaseException as error:
        if run is not None and run.status == "running":
            _keep_failed(store, run, error)
        raise
    assert run is not None
    try:
        store.save(run)
    except LabError as error:
        with contextlib.suppress(LabError):
            store.mark_unsaved(run, str(error))
        return run, error
    return run, None


def recovered(store: Store) -> list[str]:
    """Sentences about runs that a killed process left unfinished; said once, they stay listed."""
    lost = [f"lost: run {run.id} ({run.plan.method}): {run.error}" for run in store.recover()]
    return lost + [f"note: {note}" for note in store.notes]


def _keep_failed(store: Store, run: Run, error: BaseException) -> None:
    reason = "The run was broken off."
    if isinstance(error, LabError):
        reason = str(error)
    elif isinstance(error, Exception):
        reason = f"Something went wrong in this run ({type(error).__name__})."
    try:
        store.save(dataclasses.replace(run, status="failed", error=reason))
    except LabError as another:  # the first error is the one to raise
        error.add_note(f"not saved: {another}")
