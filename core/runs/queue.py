"""One queue for the whole process: submit a plan, watch it, cancel it, see its position.

One thread runs one job at a time, first come, first served: two at once on the same cores would
each take longer than one after the other. A job belongs to nobody's session: whoever has its id may
watch it, only who has the token it was submitted with may cancel it, and one that nobody has
watched for a while is cancelled.
"""

from __future__ import annotations

import hmac
import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from core.errors import LabError, NotYours, RunMissing
from core.runs.admission import Admission, check_plan
from core.runs.job import Job, hashed
from core.runs.limits import LOCAL, Limits
from core.runs.plan import Plan
from core.runs.record import Runner, in_core
from core.runs.recorded_job import recorded
from core.runs.room import make_room
from core.runs.run import Run
from core.runs.store.access import access_to
from core.runs.store.store import Store

log = logging.getLogger(__name__)
Folder = str | Path | None


class JobQueue:
    """The queue of a process and the thread that works through it.

    store: where runs go. runner: does the work; in its own thread. grace_seconds: a job that nobody
    watches for longer is cancelled. limits: on what is taken, and on how long a job runs.
    kept: ended jobs that stay in memory; older ones are read from the store, but for those with a
    result that could not be saved. clock: seconds, for tests. recovered: the runs that a dead
    process had left unfinished.
    """

    def __init__(
        self,
        store: Store,
        runner: Runner = in_core,
        grace_seconds: float = 120.0,
        limits: Limits = LOCAL,
        kept: int = 20,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self.grace_seconds = grace_seconds
        self.recovered = store.recover()
        self._runner = runner
        self.limits = limits
        self._admission = Admission(limits, clock)
        self._kept = kept
        self._clock = clock
        self._jobs: dict[str, Job] = {}
        self._waiting: list[Job] = []
        self._running: Job | None = None
        self._changed = threading.Condition()
        self._saving = threading.Lock()
        self._worker: threading.Thread | None = None

    def submit(self, plan: Plan, owner_token: str, folder: Folder = None, address: str = "") -> Job:
        """Queues one plan, as `submit_all` does."""
        return self.submit_all([plan], owner_token, folder, address)[0]

    def submit_all(
        self, plans: Sequence[Plan], owner_token: str, folder: Folder = None, address: str = ""
    ) -> list[Job]:
        """Queues plans, all or none, and starts watching them. Raises QueueFull, or BadRequest for
        a plan that the limits forbid.

        owner_token: a secret of the one who submits, needed to cancel. folder: where the images
        are, None for the usual places. address: see `core.runs.admission.network_of`.
        """
        jobs = [Job(secrets.token_hex(8), plan, hashed(owner_token)) for plan in plans]
        for job in jobs:
            job.folder, job.address = folder, address
            check_plan(job.plan, self.limits)
        with self._changed:
            self._expire()
            if self._admission.full and self._running is None:
                self._make_room()
            self._admission.check_all(jobs, self._waiting, self._running)
            for job in jobs:
                job.watched = self._clock()
                self._jobs[job.id] = job
            self._waiting += jobs
            if self._worker is None or not self._worker.is_alive():
                self._worker = threading.Thread(target=self._work, name="jobs", daemon=True)
                self._worker.start()
            self._changed.notify_all()
        return jobs

    def under_way(self) -> list[Job]:
        """The job that runs, then those that wait, the next one first."""
        with self._changed:
            return [*([self._running] if self._running else []), *self._waiting]

    def get(self, id: str) -> Job:
        """A job of this process, or one that the store has. Raises RunMissing or StoreCorrupt."""
        with self._changed:
            if id in self._jobs:
                return self._jobs[id]
        run = self.store.load(id)
        if run.status == "running" and self.store.settle(id):  # another process's, which has died
            run = self.store.load(id)
        return Job.of_run(run, self.owner_of(id))

    def owner_of(self, id: str) -> str:
        """sha256 of the starter's token, "" where nobody is known to be."""
        with self._changed:
            if id in self._jobs:
                return self._jobs[id].owner
        found = access_to(self.store, id)
        return found.owner if found else ""

    def forget(self, id: str) -> None:
        """Drops a job that has ended from memory; the store keeps its run."""
        with self._changed:
            if id in self._jobs and not self._jobs[id].alive:
                del self._jobs[id]

    def queue_position(self, id: str) -> int | None:
        """0 while the job runs, 1 for the next one, and so on; None once it has ended."""
        with self._changed:
            self._expire()
            if self._running is not None and self._running.id == id:
                return 0
            line = [job.id for job in self._waiting]
            return line.index(id) + 1 if id in line else None

    def watch(self, id: str) -> None:
        """Somebody looks at the job: its time without a watcher starts anew."""
        with self._changed:
            if id in self._jobs:
                self._jobs[id].watched = self._clock()

    def cancel(self, id: str, owner_token: str) -> None:
        """Stops a job within one batch; what it has done is kept. Nothing happens if it has ended.

        Raises NotYours for anybody but its owner, RunMissing for an unknown id.
        """
        with self._changed:
            job = self._jobs.get(id)
            if job is None:
                raise RunMissing(f"No job {id[:80]!r} waits or runs.")
            if not hmac.compare_digest(job.owner, hashed(owner_token)):
                raise NotYours("Only the one who started this run can stop it.")
            self._stop(job, "")

    def save_again(self, id: str) -> Job:
        """Tries once more to save a run that could not be saved; nothing happens if it has been.

        Raises RunMissing where this process does not have it, or what `Store.save` raises.
        """
        with self._saving:
            with self._changed:
                job = self._jobs.get(id)
            if job is None or job.run is None or job.alive:
                raise RunMissing(f"This server has no unsaved run {id[:80]!r}.")
            if job.unsaved:
                try:
                    self.store.save(job.run, job.owner)
                except LabError as error:
                    job.unsaved = str(error)
                    raise
                job.unsaved, job.error = "", job.run.error
        return job

    def join(self, timeout: float | None = None) -> bool:
        """Waits until nothing waits or runs; False if that took longer than `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not self._waiting and self._running is None, timeout
            )

    def _stop(self, job: Job, reason: str) -> None:
        """With the lock held: ends a waiting job, asks a running one to end."""
        if not job.alive or job.stopping:
            return
        job._reason = reason
        job._stop.set()
        if job in self._waiting:
            self._waiting.remove(job)
            job.error = reason or "Stopped before it began."
            job.state = "failed"
            self._forget_old()
            self._changed.notify_all()

    def _unwatched(self, job: Job) -> bool:
        return self._clock() - job.watched > self.grace_seconds

    def _expire(self) -> None:
        """Stops the jobs that nobody watches."""
        why = f"Stopped, because nobody had watched it for {self.grace_seconds:g} s."
        with self._changed:
            for job in filter(self._unwatched, self.under_way()):
                self._stop(job, why)

    def _forget_old(self) -> None:
        """With the lock held: drops the oldest ended jobs from memory."""
        unsaved = [job for job in self._jobs.values() if job.unsaved and job.state != "failed"]
        ended = [job.id for job in self._jobs.values() if not job.alive and job not in unsaved]
        for id in ended[: max(0, len(ended) - self._kept)]:
            del self._jobs[id]

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                self._expire()
                if not self._waiting:
                    continue
                job = self._running = self._waiting.pop(0)
                job.state, job.started = "running", self._clock()
                self._changed.notify_all()
            run, unsaved = self._recorded(job)
            with self._changed:
                job._end(run, unsaved)
                self._running = None
                self._admission.note(job)
                self._forget_old()
                self._changed.notify_all()
            self._make_room()

    def _make_room(self) -> None:
        """Between two jobs: nothing that is cleared is in use then."""
        try:
            self._admission.full = not make_room(self.store, self.limits)
        except Exception:  # this thread must go on with the next job
            log.exception("no room could be made for runs")

    def _recorded(self, job: Job) -> tuple[Run, str]:
        def stop() -> bool:
            late = self._admission.overdue(job)
            if not job._stop.is_set() and (late or self._unwatched(job)):
                self._expire()
                if late:
                    with self._changed:
                        self._stop(job, late)
            return job._stop.is_set()

        return recorded(job, self.store, self._runner, stop, self._expire, self._clock)
