"""One run in the queue, and what is known of it now."""

from __future__ import annotations

import hashlib
import threading
import time
from pathlib import Path
from typing import Literal, get_args

from core.runs.plan import Plan
from core.runs.run import Run, Snapshot

State = Literal["waiting", "running", "finished", "partial", "failed"]


Phase = Literal["load", "forget", "check"]


PHASES: tuple[Phase, ...] = get_args(Phase)
"""Of a running job: until the first snapshot; until the last step; until it has ended."""


SNAPSHOTS_KEPT = 600
"""Snapshots without a probe that a job keeps; beyond, every other one goes, and so on."""


def hashed(owner_token: str) -> str:
    """What is kept of an owner's token: its sha256, 64 hexadecimal digits."""
    return hashlib.sha256(owner_token.encode()).hexdigest()


class Job:
    """A plan on its way to a run. Read from any thread; only the queue writes.

    id: also the run's. owner: sha256 of the starter's token. address: where on the network it was
    submitted, "" where nobody knows. started: when it began to run, by the queue's clock. state:
    "waiting", "running", then "finished", "partial" (stopped, what was done is kept) or "failed"
    (or stopped before it began: then there is no run). latest: the last snapshot. run: set when it
    has ended. error: one sentence, also why a job was stopped for its owner, "" where all went
    well. unsaved: why the run is in memory only, a sentence, "" where it is saved; see
    `JobQueue.save_again`.
    """

    def __init__(self, id: str, plan: Plan, owner: str = "", state: State = "waiting") -> None:
        self.id = id
        self.plan = plan
        self.owner = owner
        self._begun: dict[Phase, float] = {}
        self._ended: float | None = None
        self.state = state
        self.latest: Snapshot | None = None
        self.run: Run | None = None
        self.error = ""
        self.unsaved = ""
        self.folder: str | Path | None = None
        self.address = ""
        self.watched = 0.0
        self.started = 0.0
        self._stop = threading.Event()
        self._reason = ""
        self._snapshots: list[Snapshot] = []
        self._stride = 1
        self._seen = 0

    @classmethod
    def of_run(cls, run: Run, owner: str) -> Job:
        """What stands for a run that the store has."""
        states: dict[str, State] = {"interrupted": "failed"}
        job = cls(run.id, run.plan, owner, states.get(run.status, run.status))  # type: ignore[arg-type]
        job.error = run.error
        if run.status not in ("running", "interrupted"):  # those have nothing but their plan
            job.run = run
        for snapshot in run.replay:
            job._add(snapshot)
        return job

    @property
    def state(self) -> State:
        """See the class."""
        return self._state

    @state.setter
    def state(self, state: State) -> None:
        self._state: State = state
        if state == "running":
            self._begun.setdefault("load", time.monotonic())
        elif state != "waiting":
            self._ended = time.monotonic()

    @property
    def phases(self) -> dict[Phase, float]:
        """The seconds of each phase that has begun, of the last of them so far; empty for a job of
        another process."""
        begun = [phase for phase in PHASES if phase in self._begun]
        ends = [*(self._begun[phase] for phase in begun[1:]), self._ended or time.monotonic()]
        return {phase: end - self._begun[phase] for phase, end in zip(begun, ends, strict=False)}

    @property
    def alive(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ("waiting", "running")

    @property
    def stopping(self) -> bool:
        """Whether it has been asked to stop and has not ended yet."""
        return self.alive and self._stop.is_set()

    @property
    def snapshots(self) -> list[Snapshot]:
        """The way so far: every snapshot with a probe, and about 600 evenly spread others."""
        return list(self._snapshots)

    @property
    def replay(self) -> tuple[Snapshot, ...]:
        """The snapshots that carry a probe."""
        return tuple(s for s in self._snapshots if s.probe is not None)

    def _end(self, run: Run, unsaved: str) -> None:
        """The state last: who sees that it has ended finds all the rest set."""
        self.run, self.unsaved = run, unsaved
        self.error = run.error or (
            f"This run is done but could not be saved. {unsaved}" if unsaved else ""
        )
        self.state = run.status  # type: ignore[assignment]

    def _add(self, snapshot: Snapshot) -> None:
        self.latest = snapshot
        if "load" in self._begun:
            self._begun.setdefault("forget", time.monotonic())
            if snapshot.phase == "measuring":
                self._begun.setdefault("check", time.monotonic())
        if snapshot.probe is None:
            self._seen += 1
            if self._seen % self._stride:
                return
        self._snapshots.append(snapshot)
        others = [s for s in self._snapshots if s.probe is None]
        if len(others) > SNAPSHOTS_KEPT:
            # Every other one goes and from now on half as many come: spread evenly over the run.
            # A new list, so that a thread that reads the old one is not disturbed.
            self._stride *= 2
            dropped = {id(s) for s in others[::2]}
            self._snapshots = [s for s in self._snapshots if id(s) not in dropped]
