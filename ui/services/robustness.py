"""What a finished run's network withstands, measured in a thread beside the pages, one at a time.

Whatever imports torch is imported inside the function that needs it. Where strangers share the
server, a visitor has as many seconds of this in an hour as of unlearning, each measurement has as
many as a run, and as many may wait; what was found is there for everybody.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.errors import Cancelled, LabError
from ui import outside
from ui.services import hosting

if TYPE_CHECKING:
    from core.data.dataset import ImageDataset
    from core.data.splits import Split
    from core.runs.admission import Admission
    from core.runs.job import Job
    from core.runs.run import Run

log = logging.getLogger(__name__)

Question = Literal["corruptions", "adversarial", "relearning"]
State = Literal["new", "waiting", "running", "done", "stopped", "failed"]
_waiting: list[Job] = []


@dataclass(frozen=True)
class Asked:
    """images: test photos at most. levels: of 255, by which an attacker may change each pixel.
    Each counts where the question reads it."""

    run: str
    question: Question
    images: int = 0
    levels: float = 0.0


@dataclass
class Trial:
    """One measurement; read its fields from any session. done, total: batches. error: of one that
    failed. found: see `core.runs.robust`. owner: the token of who started it, and may stop it."""

    asked: Asked
    state: State = "new"
    done: int = 0
    total: int = 0
    error: LabError | None = None
    found: dict[str, Any] = field(default_factory=dict)
    owner: str = ""
    _began: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)
    _job: Job | None = None

    @property
    def alive(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ("waiting", "running")

    @property
    def seconds_left(self) -> float | None:
        """From how it has gone so far; None where not known."""
        passed = time.monotonic() - self._began
        if self.state != "running" or not self.done or passed < 1:
            return None
        return passed * (self.total - self.done) / self.done

    def start(self, run: Run, dataset: ImageDataset, owner: str, address: str) -> None:
        """Puts it in line unless it is there, runs or is done. address: where on the network the
        visitor is. Raises QueueFull."""
        if self.alive or self.state == "done":
            return
        job = _admitted(run, owner, address)
        self.state, self.owner, self.error, self.done = "waiting", owner, None, 0
        self._stop, self._job = threading.Event(), job
        _line().put(lambda: self._work(run, dataset, job))

    def cancel(self) -> None:
        """Stops within one batch."""
        self._stop.set()
        if self.state == "waiting":
            self.state = "stopped"
            _leave_line(self._job)

    def _work(self, run: Run, dataset: ImageDataset, job: Job) -> None:
        _leave_line(job)
        if self.state != "waiting" or job is not self._job:  # stopped meanwhile
            return
        self._began = job.started = time.monotonic()
        self.state = "running"
        try:
            self.found = _measured(self.asked, run, dataset, self._show)
            self.state = "done"
        except Cancelled:
            self.state = "stopped"
        except LabError as error:
            self.error, self.state = error, "failed"
        except Exception as error:
            log.exception("a measurement of robustness failed")
            self.error = LabError(f"Something went wrong here ({type(error).__name__}).")
            self.state = "failed"
        finally:
            _admission().note(job)

    def _show(self, what: str, done: int, total: int) -> None:
        if self._stop.is_set():
            raise Cancelled("Stopped.")
        most = _admission().limits.run_seconds
        if time.monotonic() - self._began > most:
            raise LabError(
                f"This takes longer than the {most:.0f} seconds that a visitor may compute here.",
                "Ask of fewer photos, or on a machine of your own.",
            )
        self.done, self.total = done, total


def trial(asked: Asked) -> Trial:
    """The one of this process."""
    return _trial(asked)


@st.cache_resource(show_spinner=False, max_entries=64)
def _trial(asked: Asked) -> Trial:
    return Trial(asked)


@st.cache_resource(show_spinner=False)
def _admission() -> Admission:
    from core.runs.admission import Admission

    return Admission(hosting.limits(), time.monotonic)


def _admitted(run: Run, owner: str, address: str) -> Job:
    """Who starts it, as a queue would know them. Raises QueueFull."""
    from core.runs.job import Job, hashed

    job = Job(run.id, run.plan, hashed(owner))
    job.address, job.started = address, time.monotonic()
    _admission().check(job, list(_waiting), None)
    _waiting.append(job)
    return job


def _leave_line(job: Job | None) -> None:
    """It waits no more."""
    _waiting[:] = [other for other in _waiting if other is not job]


@st.cache_resource(show_spinner=False)
def _line() -> queue.Queue[Callable[[], None]]:
    """First come, first served."""
    line: queue.Queue[Callable[[], None]] = queue.Queue()

    def work() -> None:
        while True:
            line.get()()

    threading.Thread(target=work, name="robustness", daemon=True).start()
    return line


def _measured(asked: Asked, run: Run, dataset: ImageDataset, show: Any) -> dict[str, Any]:
    """Raises LabError."""
    from core.robustness.relearning import Lesson
    from core.runs import robust
    from core.runs.task import prepare
    from core.unlearners.common.pixels import WHITE

    task = prepare(run.plan, dataset=dataset)
    models, seed = robust.models_left(task, run), run.plan.seed
    about = {"compared": models.retrained is not None}
    if asked.question == "corruptions":
        return about | robust.under_corruption(task, models, asked.images, seed, show)
    if asked.question == "adversarial":
        eps = asked.levels / WHITE
        return about | robust.under_attack(task, models, asked.images, eps, seed, show)
    return about | robust.by_relearning(task, models, Lesson(seed=seed), show)


def check_kept(run: Run) -> None:
    """Raises CheckpointMissing where the network that a run left is not kept here."""
    from core.checkpoints.unlearned import network_left

    network_left(run.id)


def sizes() -> list[int]:
    """How many test photos one may ask of."""
    return [100, 200] if outside.hosted() else [100, 200, 500, 1000]


def corruption_names() -> dict[str, str]:
    """By name, what each corruption is called."""
    from core.robustness.corruptions import CORRUPTIONS

    return {name: corruption.label for name, corruption in CORRUPTIONS.items()}


@st.cache_data(show_spinner=False, max_entries=32)
def example(dataset_name: str, name: str, _data: ImageDataset, _parts: Split) -> NDArray[np.uint8]:
    """One test photo of a class that is kept, at strengths 0 to 5: uint8 (6, 3, 32, 32)."""
    import torch

    from core.robustness.corruptions import STRONGEST, corrupted

    image = _data.test_images[_parts.test_retained[:1]]
    changed = [corrupted(image, name, strength) for strength in range(STRONGEST + 1)]
    return torch.cat(changed).numpy()
