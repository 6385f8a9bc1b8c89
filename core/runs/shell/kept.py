"""A run that somebody waits for at the shell, kept in the store as it goes and however it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from core.errors import LabError
from core.runs.plan import Plan
from core.runs.record import NotSaved, record
from core.runs.run import Run, Snapshot
from core.runs.store.store import Store
from core.runs.task import Task, new_run_id


def kept_run(
    task: Task,
    store: Store,
    *,
    stop: Callable[[], bool],
    weights_file: Path | None,
    show: Callable[[Snapshot], None],
) -> tuple[Run, LabError | None]:
    """Unlearns and measures, and shows each snapshot. Gives the run, and why it could not be saved,
    None where it was: then this is all that there will be of it. Raises what `record` raises."""

    def runner(
        plan: Plan,
        *,
        stop: Callable[[], bool],
        run_id: str,
        folder: str | Path | None = None,
    ) -> Iterator[Snapshot | Run]:
        return task.run(stop, run_id, weights_file, keep=True)

    run: Run | None = None
    try:
        for item in record(task.plan, store, stop, id=new_run_id(), runner=runner):
            if isinstance(item, Snapshot):
                show(item)
            else:
                run = item
    except NotSaved as error:
        return error.run, error
    assert run is not None
    return run, None


def recovered(store: Store) -> list[str]:
    """Sentences about runs that a killed process left unfinished, given once; they stay listed."""
    lost = [f"lost: run {run.id} ({run.plan.method}): {run.error}" for run in store.recover()]
    return lost + [f"note: {note}" for note in store.notes]
