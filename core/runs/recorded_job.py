"""One job of the queue, run and recorded, whatever happens to it."""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Callable

from core.runs.job import Job
from core.runs.record import NotSaved, Runner, record
from core.runs.run import Run, Snapshot
from core.runs.store.store import Store

log = logging.getLogger(__name__)


def recorded(
    job: Job,
    store: Store,
    runner: Runner,
    stop: Callable[[], bool],
    tick: Callable[[], None],
    clock: Callable[[], float],
) -> tuple[Run, str]:
    """Runs a job; its run, and why that could not be saved, "" where it was. stop: see `Runner`.
    tick: called after each snapshot."""
    run = Run.begun(job.id, job.plan)
    items = record(
        job.plan,
        store,
        stop,
        id=job.id,
        runner=functools.partial(runner, folder=job.folder),
        owner=job.owner,
        why_stopped=lambda: job._reason,
        clock=clock,
    )
    try:
        for item in items:
            if isinstance(item, Snapshot):
                job._add(item)
                tick()
            else:
                run = item
                if run.status == "running":
                    job.run = run
    except NotSaved as error:
        return error.run, str(error)
    except BaseException as error:  # SystemExit too: the thread must go on with the next job
        log.info("job %s: %s", job.id, error)
        if run.status == "running":
            run = dataclasses.replace(run, status="failed", error=str(error))
    return run, ""
