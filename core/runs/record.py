"""The one way in which a run comes to be: a plan is run, and what comes of it is kept in the store.

The app's queue, the shell, the benchmarks and the sweeps all go through `record`.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, Protocol

from core.errors import Cancelled, LabError
from core.runs.plan import Plan
from core.runs.run import Run, Snapshot
from core.runs.store.store import Store

log = logging.getLogger(__name__)

PROGRESS_SECONDS = 1.0
"""How often the progress of a run is written to the store."""


class Runner(Protocol):
    """Does a plan's work: yields snapshots, then the run. `in_core` is one.

    `stop` is cheap and asked between batches; once it is true, the runner ends with a partial run.
    """

    def __call__(
        self,
        plan: Plan,
        *,
        stop: Callable[[], bool],
        run_id: str,
        folder: str | Path | None = None,
    ) -> Iterator[Snapshot | Run]: ...


class NotSaved(LabError):
    """A run that ended and could not be saved; `run` is all that there will be of it."""

    def __init__(self, run: Run, reason: str) -> None:
        super().__init__(reason)
        self.run = run


def in_core(
    plan: Plan, *, stop: Callable[[], bool], run_id: str, folder: str | Path | None = None
) -> Iterator[Snapshot | Run]:
    """The library's own work. folder: of the images, None for the usual places."""
    from core.runs.task import prepare  # imports torch, which takes seconds

    return prepare(plan, folder=folder).run(stop, run_id, keep=True)


def record(
    plan: Plan,
    store: Store,
    stop: Callable[[], bool] = lambda: False,
    *,
    id: str,
    runner: Runner = in_core,
    owner: str = "",
    why_stopped: Callable[[], str] = lambda: "",
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Snapshot | Run]:
    """Runs a plan and keeps the run; yields snapshots, the run as "running", and then as kept.

    Its row is there from the start, so that a later process knows what was lost. What raises is
    kept as a failed run with what is known from its snapshots, yielded, and raised again.
    owner: sha256 of the starter's token. why_stopped: a sentence for the record of a partial run.
    Raises also `NotSaved`, and what `Store.begin` raises.
    """
    run = Run.begun(id, plan)
    seen = _Seen(store, id, clock)
    try:
        store.begin(run, owner)
        for item in runner(plan, stop=stop, run_id=id):
            if isinstance(item, Snapshot):
                seen.note(item)
                yield item
                continue
            run = item
            if run.status == "running":
                store.begin(run, owner)
                yield run
        if run.status == "running" and stop():
            raise Cancelled("This run was stopped.")
        if run.status == "running":
            raise LabError("This run ended without a result.")
    except BaseException as error:
        if isinstance(error, Cancelled):
            run = seen.cut_short(run, "partial", why_stopped() or str(error))
        else:
            run = seen.cut_short(run, "failed", reason_of(error))
        try:
            _save(store, run, owner)
        except NotSaved as problem:  # the record, which nobody has kept, says what came before it
            if isinstance(error, Exception):
                raise problem from error
        if isinstance(error, GeneratorExit):
            raise
        yield run
        raise
    if run.status == "partial" and not run.error:
        run = dataclasses.replace(run, error=why_stopped())
    _save(store, run, owner)
    yield run


class _Seen:
    """What has been seen of a run so far: its latest snapshot, and those that carry a probe."""

    def __init__(self, store: Store, id: str, clock: Callable[[], float]) -> None:
        self._store, self._id, self._clock = store, id, clock
        self._latest: Snapshot | None = None
        self._replay: list[Snapshot] = []
        self._written = clock()

    def note(self, snapshot: Snapshot) -> None:
        self._latest = snapshot
        if snapshot.probe is not None:
            self._replay.append(snapshot)
        if self._clock() - self._written >= PROGRESS_SECONDS:
            self._written = self._clock()
            try:
                self._store.progress(self._id, snapshot.step, snapshot.total_steps)
            except LabError as error:  # no reason to lose the run
                log.warning("the progress of run %s is not noted: %s", self._id, error)

    def cut_short(self, run: Run, status: Literal["partial", "failed"], reason: str) -> Run:
        """The record of a run that ended without giving one."""
        run = dataclasses.replace(run, status=status, error=reason)
        if self._latest is None:
            return run
        return dataclasses.replace(
            run,
            replay=tuple(self._replay),
            seconds={
                "unlearning": self._latest.seconds,
                "measuring": self._latest.measuring_seconds,
            },
            steps_done=self._latest.step,
            total_steps=self._latest.total_steps,
        )


def reason_of(error: BaseException) -> str:
    """What the record of a failed run says of an error."""
    if isinstance(error, LabError):
        return str(error)
    if isinstance(error, KeyboardInterrupt | GeneratorExit):
        return "The run was broken off."
    log.error("a run failed", exc_info=error)
    return f"Something went wrong in this run ({type(error).__name__})."


def _save(store: Store, run: Run, owner: str) -> None:
    """Raises NotSaved, and notes in the run's row why."""
    try:
        store.save(run, owner)
        return
    except LabError as error:
        problem = NotSaved(run, str(error))
    except Exception as error:
        log.exception("run %s cannot be saved", run.id)
        problem = NotSaved(run, f"Something went wrong ({type(error).__name__}).")
    try:
        store.mark_unsaved(run, str(problem))
    except Exception as error:  # then a later process says only that this one ended before that
        log.info("that run %s is not saved cannot be noted: %s", run.id, error)
    raise problem
