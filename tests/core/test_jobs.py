"""The queue: order, places, cancelling, grace, failures, and what reaches the store."""

from __future__ import annotations

import dataclasses
import errno
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.data.requests import ForgetRequest
from core.errors import (
    BadRequest,
    Cancelled,
    LabError,
    NotYours,
    QueueFull,
    RunMissing,
    StoreUnavailable,
)
from core.runs.job import SNAPSHOTS_KEPT, Job, hashed
from core.runs.limits import LOCAL
from core.runs.plan import Plan
from core.runs.queue import JobQueue
from core.runs.run import Probe, Run, Snapshot
from core.runs.store import array_files
from core.runs.store.store import Store
from tests.killed import killed

PLAN = Plan("compact", "digits", ForgetRequest.random(5), "fine_tune", {"rate": 0.1})
WAIT = 60.0  # far beyond what is needed: only a test that fails waits for so long


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def snapshot(step: int, total: int = 10, probe: bool = False) -> Snapshot:
    losses = np.full(4, step, np.float32)
    look = Probe(losses, losses + 1, 0.5, 0.5, 0.5) if probe else None
    return Snapshot(step, total, "unlearning", step / 10, 0.0, None, 1.0, probe=look)


def finished(run_id: str, plan: Plan, steps: int, status: Any = "finished") -> Run:
    return Run(
        id=run_id, plan=plan, status=status, created="2025-01-01T00:00:00+00:00",
        settings=dict(plan.settings), seconds={"unlearning": 1.0}, versions={}, data={},
        steps_done=steps, total_steps=10,
    )  # fmt: skip


class Steps:
    """A runner that goes one step each time the test lets it, and honours `stop`."""

    def __init__(self, total: int = 10) -> None:
        self.total = total
        self.go = threading.Semaphore(0)
        self.seen: dict[str, list[int]] = {}
        self.stepped = threading.Condition()
        self.folders: list[Any] = []

    def __call__(
        self, plan: Plan, *, folder: str | Path | None, stop: Callable[[], bool], run_id: str
    ) -> Iterator[Snapshot | Run]:
        self.folders.append(folder)
        done = 0
        while done < self.total:
            yield snapshot(done, self.total, probe=done % 5 == 0)
            with self.stepped:
                self.seen.setdefault(run_id, []).append(done)
                self.stepped.notify_all()
            assert self.go.acquire(timeout=WAIT)
            if stop():
                yield finished(run_id, plan, done, "partial")
                return
            done += 1
        yield finished(run_id, plan, done)

    def reached(self, job: Job, step: int) -> None:
        """Waits until `job` stands at `step`."""
        with self.stepped:
            assert self.stepped.wait_for(lambda: step in self.seen.get(job.id, []), WAIT)

    def let(self, steps: int) -> None:
        for _ in range(steps):
            self.go.release()


@pytest.fixture
def store(tmp_path: Path) -> Any:
    store = Store(f"sqlite:///{tmp_path}/lab.sqlite", shipped=tmp_path / "shipped")
    yield store
    store.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def steps() -> Iterator[Steps]:
    steps = Steps()
    yield steps
    steps.let(1000)  # so that no worker thread outlives its test


@pytest.fixture
def queue(store: Store, steps: Steps, clock: Clock) -> Iterator[JobQueue]:
    queue = JobQueue(store, steps, clock=clock)
    yield queue
    steps.let(1000)
    assert queue.join(WAIT)


def failing(error: BaseException, after: int = 0) -> Any:
    def runner(
        plan: Plan, *, folder: Any, stop: Callable[[], bool], run_id: str
    ) -> Iterator[Snapshot | Run]:
        for step in range(after):
            yield snapshot(step, probe=True)
        raise error

    return runner


def test_two_at_once_one_runs_and_one_waits(queue: JobQueue, steps: Steps) -> None:
    jobs: list[Job] = []
    threads = [
        threading.Thread(target=lambda name=name: jobs.append(queue.submit(PLAN, name)))
        for name in ("one", "two")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first, second = sorted(jobs, key=lambda job: queue.queue_position(job.id) == 2)
    with queue._changed:
        assert queue._changed.wait_for(lambda: queue._running is not None, WAIT)
        running = queue._running
    first, second = (first, second) if first is running else (second, first)
    steps.reached(first, 0)
    assert (first.state, second.state) == ("running", "waiting")
    assert (queue.queue_position(first.id), queue.queue_position(second.id)) == (0, 1)
    third = queue.submit(PLAN, "three")
    assert queue.queue_position(third.id) == 2

    steps.let(10)
    steps.reached(second, 0)
    assert first.state == "finished"
    assert queue.queue_position(first.id) is None
    assert (queue.queue_position(second.id), queue.queue_position(third.id)) == (0, 1)
    steps.let(20)
    assert queue.join(WAIT)
    assert [job.state for job in (first, second, third)] == ["finished"] * 3
    assert all(len(set(steps.seen[job.id])) == 10 for job in (first, second, third))


def test_a_finished_job_is_in_the_store(queue: JobQueue, steps: Steps, store: Store) -> None:
    job = queue.submit(PLAN, "me", folder="/images")
    steps.let(10)
    assert queue.join(WAIT)
    assert queue.get(job.id) is job
    assert job.state == "finished"
    assert not job.alive
    assert job.run is not None
    assert job.error == ""
    assert steps.folders == ["/images"]
    summary = store.summary(job.id)
    assert summary.status == "finished"
    assert summary.owner == hashed("me")
    assert "me" not in summary.owner
    assert store.load(job.id) == job.run


def test_the_store_knows_a_running_job(
    queue: JobQueue, steps: Steps, store: Store, clock: Clock
) -> None:
    job = queue.submit(PLAN, "me")
    steps.let(2)
    steps.reached(job, 2)
    assert (store.summary(job.id).status, store.summary(job.id).steps_done) == ("running", 0)
    clock.now += 2
    steps.let(1)
    steps.reached(job, 3)
    assert (store.summary(job.id).steps_done, store.summary(job.id).total_steps) == (3, 10)


def test_cancel_keeps_what_was_done(queue: JobQueue, steps: Steps, store: Store) -> None:
    job = queue.submit(PLAN, "me")
    steps.let(3)
    steps.reached(job, 3)
    queue.cancel(job.id, "me")
    assert job.stopping
    steps.let(1)
    assert queue.join(WAIT)
    assert job.state == "partial"
    assert not job.stopping
    assert job.error == ""
    assert steps.seen[job.id] == [0, 1, 2, 3]  # not a batch more
    assert store.summary(job.id).status == "partial"
    assert store.summary(job.id).steps_done == 3
    queue.cancel(job.id, "me")  # it has ended: nothing happens
    assert job.state == "partial"


def test_only_the_owner_cancels(queue: JobQueue, steps: Steps) -> None:
    job = queue.submit(PLAN, "me")
    for token in ("you", "", hashed("me")):
        with pytest.raises(NotYours):
            queue.cancel(job.id, token)
    with pytest.raises(RunMissing):
        queue.cancel("unknown", "me")
    assert not job.stopping


def test_a_waiting_job_can_be_cancelled(queue: JobQueue, steps: Steps) -> None:
    first = queue.submit(PLAN, "one")
    second, third = queue.submit(PLAN, "two"), queue.submit(PLAN, "three")
    steps.reached(first, 0)
    queue.cancel(second.id, "two")
    assert second.state == "failed"
    assert "before it began" in second.error
    assert queue.queue_position(second.id) is None
    assert queue.queue_position(third.id) == 1
    steps.let(20)
    assert queue.join(WAIT)
    assert second.id not in steps.seen
    assert third.state == "finished"


def test_an_unwatched_job_is_cancelled(queue: JobQueue, steps: Steps, clock: Clock) -> None:
    job = queue.submit(PLAN, "me")
    steps.reached(job, 0)
    clock.now = 119
    queue.watch(job.id)
    clock.now = 238
    steps.let(1)
    steps.reached(job, 1)
    assert not job.stopping
    clock.now = 240
    steps.let(1)
    assert queue.join(WAIT)
    assert job.state == "partial"
    assert "nobody had watched it for 120 s" in job.error
    assert job.run is not None
    assert job.run.error == job.error
    assert job.run.steps_done == 1


def test_an_unwatched_waiting_job_is_cancelled(queue: JobQueue, steps: Steps, clock: Clock) -> None:
    first, second = queue.submit(PLAN, "one"), queue.submit(PLAN, "two")
    steps.reached(first, 0)
    clock.now = 100
    queue.watch(first.id)
    clock.now = 150
    assert queue.queue_position(second.id) is None
    assert second.state == "failed"
    assert "nobody" in second.error
    assert first.state == "running"
    assert not first.stopping


def test_one_owner_cannot_fill_the_queue(queue: JobQueue, steps: Steps) -> None:
    running = queue.submit(PLAN, "me")
    steps.reached(running, 0)
    waiting = [queue.submit(PLAN, "me") for _ in range(3)]
    with pytest.raises(QueueFull, match="3 runs waiting"):
        queue.submit(PLAN, "me")
    assert queue.queue_position(queue.submit(PLAN, "you").id) == 4
    queue.cancel(waiting[0].id, "me")
    assert queue.queue_position(queue.submit(PLAN, "me").id) == 4
    queue_ids = [job.id for job in queue._waiting]
    assert queue_ids[:2] == [job.id for job in waiting[1:]]
    for job in list(queue._waiting):
        with queue._changed:
            queue._stop(job, "")


def test_a_bad_request_gives_its_sentence(store: Store) -> None:
    queue = JobQueue(store, failing(BadRequest("There is no class 'x'.", "Choose another.")))
    job = queue.submit(PLAN, "me")
    assert queue.join(WAIT)
    assert (job.state, job.error) == ("failed", "There is no class 'x'. Choose another.")
    assert store.summary(job.id).status == "failed"
    assert store.summary(job.id).error == job.error


@pytest.mark.parametrize("error", [ValueError("secret detail"), SystemExit(1)])
def test_a_fault_is_logged_and_the_queue_goes_on(
    store: Store, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    queue = JobQueue(store, failing(error, after=3))
    with caplog.at_level(logging.ERROR):
        first, second = queue.submit(PLAN, "me"), queue.submit(PLAN, "me")
        assert queue.join(WAIT)
    assert first.state == second.state == "failed"
    assert first.error.startswith("Something went wrong")
    assert "secret" not in first.error
    assert type(error).__name__ in caplog.text
    assert "Traceback" in caplog.text
    kept = store.load(first.id)
    assert kept.steps_done == 2
    assert len(kept.replay) == 3


def test_a_runner_may_raise_cancelled(store: Store) -> None:
    queue = JobQueue(store, failing(Cancelled("Stopped."), after=2))
    job = queue.submit(PLAN, "me")
    assert queue.join(WAIT)
    assert (job.state, job.error) == ("partial", "Stopped.")
    assert job.run is not None
    assert len(job.run.replay) == 2


def test_a_runner_that_gives_no_run_fails(store: Store) -> None:
    def runner(plan: Plan, **more: Any) -> Iterator[Snapshot | Run]:
        yield snapshot(0)

    queue = JobQueue(store, runner)
    job = queue.submit(PLAN, "me")
    assert queue.join(WAIT)
    assert job.state == "failed"
    assert "without a result" in job.error


def test_a_store_that_cannot_save_loses_no_run_in_memory(
    queue: JobQueue, steps: Steps, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("The disk is full.")

    monkeypatch.setattr(store, "save", refuse)
    job = queue.submit(PLAN, "me")
    steps.let(10)
    assert queue.join(WAIT)
    assert job.state == "finished"
    assert job.run is not None
    assert "could not be saved" in job.error
    assert "disk is full" in job.error


def test_a_failed_run_that_cannot_be_saved_says_both(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("The disk is full.")

    monkeypatch.setattr(store, "save", refuse)
    queue = JobQueue(store, failing(LabError("The loss became infinite."), after=2))
    job = queue.submit(PLAN, "me")
    assert queue.join(WAIT)
    assert (job.state, job.error) == ("failed", "The loss became infinite.")
    assert "disk is full" in job.unsaved
    assert job.run is not None
    assert len(job.run.replay) == 2


def test_old_jobs_come_from_the_store(store: Store, clock: Clock) -> None:
    def runner(plan: Plan, *, run_id: str, **more: Any) -> Iterator[Snapshot | Run]:
        replay = tuple(snapshot(step, probe=True) for step in range(3))
        yield from replay
        yield dataclasses.replace(finished(run_id, plan, 10), replay=replay)

    queue = JobQueue(
        store, runner, kept=2, limits=dataclasses.replace(LOCAL, waiting_each=10), clock=clock
    )
    jobs = [queue.submit(PLAN, "me") for _ in range(5)]
    assert queue.join(WAIT)
    assert len(queue._jobs) == 2
    old = queue.get(jobs[0].id)
    assert old is not jobs[0]
    assert old.state == "finished"
    assert not old.alive
    assert old.run is not None
    assert old.plan == PLAN
    assert len(old.snapshots) == 3
    assert queue.queue_position(jobs[0].id) is None
    with pytest.raises(RunMissing):
        queue.get("unknown")


def test_an_interrupted_run_is_told(store: Store) -> None:
    store.begin(finished("lost", PLAN, 0))
    store.progress("lost", 4, 10)
    killed(store, "lost")
    queue = JobQueue(store, failing(ValueError()))
    assert [summary.id for summary in queue.recovered] == ["lost"]
    job = queue.get("lost")
    assert job.state == "failed"
    assert "step 4 of 10" in job.error
    assert job.run is None


def test_each_phase_has_its_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("core.runs.job.time.monotonic", lambda: now[0])
    job = Job("id", PLAN)
    assert job.phases == {}
    job.state = "running"
    now[0] = 107.0
    assert job.phases == {"load": 7.0}
    job._add(snapshot(0))
    now[0] = 120.0
    assert job.phases == {"load": 7.0, "forget": 13.0}
    job._add(dataclasses.replace(snapshot(10), phase="measuring"))
    now[0] = 125.0
    job.state = "finished"
    now[0] = 999.0
    assert job.phases == {"load": 7.0, "forget": 13.0, "check": 5.0}
    assert Job("id", PLAN, state="finished").phases == {}


def test_snapshots_stay_bounded() -> None:
    job = Job("id", PLAN)
    total = 20_000
    for step in range(total):
        job._add(snapshot(step, total, probe=step % 2_000 == 0))
    kept = job.snapshots
    assert [s.step for s in job.replay] == list(range(0, total, 2_000))
    others = [s.step for s in kept if s.probe is None]
    assert SNAPSHOTS_KEPT / 2 <= len(others) <= SNAPSHOTS_KEPT
    gaps = np.diff(others)
    assert gaps.max() <= 2 * gaps.min()
    assert others[-1] > 0.99 * total - gaps.max()
    assert [s.step for s in kept] == sorted(s.step for s in kept)
    assert job.latest is not None
    assert job.latest.step == total - 1


# A run that cannot be saved


@pytest.fixture
def full(store: Store, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """A disk that a test fills and empties: no array file can be written while it is full."""
    real = array_files.write_file
    state = {"full": True}

    def write(path: Path, content: bytes) -> None:
        if state["full"]:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, content)

    monkeypatch.setattr(array_files, "write_file", write)
    return lambda now: state.update(full=now)


def test_an_unsaved_run_says_why_and_can_be_saved_again(
    queue: JobQueue, steps: Steps, store: Store, full: Callable[[bool], None]
) -> None:
    job = queue.submit(PLAN, "me")
    steps.let(10)
    assert queue.join(WAIT)
    assert (job.state, job.unsaved) == (
        "finished",
        f"Run {job.id} cannot be saved: No space left on device.",
    )
    with pytest.raises(StoreUnavailable, match="No space left"):
        queue.save_again(job.id)
    assert job.unsaved
    full(False)
    assert queue.save_again(job.id) is job
    assert (job.unsaved, job.error) == ("", "")
    assert store.load(job.id) == job.run
    assert store.summary(job.id).owner == hashed("me")
    queue.save_again(job.id)  # it has been: nothing happens
    with pytest.raises(RunMissing):
        queue.save_again("unknown")


def test_an_unsaved_run_is_not_told_as_cut_off_after_a_restart(
    queue: JobQueue, steps: Steps, store: Store, full: Callable[[bool], None]
) -> None:
    job = queue.submit(PLAN, "me")
    steps.let(10)
    assert queue.join(WAIT)
    after = JobQueue(store).get(job.id)
    assert after.state == "failed"
    assert after.error == (
        "This run finished, but it could not be saved. "
        f"Run {job.id} cannot be saved: No space left on device."
    )
    assert store.summary(job.id).steps_done == 10


def test_where_nothing_could_be_written_only_what_is_known_is_said(
    queue: JobQueue,
    steps: Steps,
    store: Store,
    full: Callable[[bool], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: Any) -> None:
        raise StoreUnavailable("The database is full.")

    monkeypatch.setattr(store, "mark_unsaved", refuse)
    job = queue.submit(PLAN, "me")
    steps.let(10)
    assert queue.join(WAIT)
    assert job.unsaved
    store.progress(job.id, 6, 10)
    killed(store, job.id)
    told = JobQueue(store).get(job.id).error
    assert told.startswith("The process of this run ended before the run was saved")
    assert "cut off" not in told


def test_an_unsaved_result_stays_in_memory(
    store: Store, clock: Clock, full: Callable[[bool], None]
) -> None:
    def runner(plan: Plan, *, run_id: str, **more: Any) -> Iterator[Snapshot | Run]:
        yield finished(run_id, plan, 10)

    queue = JobQueue(
        store, runner, kept=1, limits=dataclasses.replace(LOCAL, waiting_each=10), clock=clock
    )
    jobs = [queue.submit(PLAN, "me") for _ in range(4)]
    assert queue.join(WAIT)
    full(False)
    for job in jobs:
        queue.save_again(job.id)
        assert store.load(job.id).status == "finished"


def test_a_run_of_another_server_that_died_is_noticed(store: Store) -> None:
    queue = JobQueue(store, failing(ValueError()))
    store.begin(finished("theirs", PLAN, 0))
    store.progress("theirs", 4, 10)
    assert queue.get("theirs").state == "running"
    killed(store, "theirs")
    job = queue.get("theirs")
    assert job.state == "failed"
    assert "step 4 of 10" in job.error
    assert store.summary("theirs").status == "interrupted"
