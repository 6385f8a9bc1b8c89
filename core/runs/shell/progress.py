"""The progress of long work, on stderr: a bar on a terminal, now and then a line elsewhere.

Rich is imported where there is a terminal, and only then.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

    from core.data.download import DownloadProgress
    from core.runs.run import Snapshot
    from core.runs.sweep import SweepProgress
    from core.training.loop import TrainingProgress


@dataclass(frozen=True)
class Status:
    """phase: what is being done. done, total: of its steps; total 0 where nobody knows. facts: the
    step and what it showed. left: estimated seconds, None where nobody knows. line: all of that for
    where there is no bar. due: whether that line, if it is new, is shown at once."""

    phase: str
    done: float
    total: float
    facts: str
    left: float | None
    line: str
    due: bool = False


Show = Callable[[Status], None]


@contextmanager
def progress(every: float) -> Iterator[Show]:
    """Gives a function that shows a status.

    every: seconds between two lines of text, where there is no terminal on stderr and so no bar.
    """
    console = terminal(sys.stderr)
    if console is None:
        yield _Lines(every)
        return
    from rich.progress import BarColumn, Progress, TextColumn

    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[facts]}", markup=False),
        TextColumn("{task.fields[left]}", markup=False),
        console=console,
        refresh_per_second=4,  # a thread of its own draws it
        transient=True,
        redirect_stdout=False,  # results are no part of the picture
    )
    with bar:
        task = bar.add_task("starting", total=None, facts="", left="")

        def show(status: Status) -> None:
            bar.update(
                task,
                description=status.phase,
                completed=status.done,
                facts=status.facts,
                left="" if status.left is None else f"{_clock(status.left)} left",
            )
            bar.tasks[0].total = status.total or None  # `update` cannot take a total back

        yield show


class _Lines:
    def __init__(self, every: float) -> None:
        self._every = every
        self._last = ""
        self._since = 0.0

    def __call__(self, status: Status) -> None:
        new = status.due and status.line != self._last
        if new or not self._last or time.monotonic() - self._since >= self._every:
            self._last, self._since = status.line, time.monotonic()
            print(status.line, file=sys.stderr, flush=True)


def terminal(stream: TextIO | None) -> Console | None:
    """A console for this stream where it is a terminal that can be drawn on, else None."""
    if stream is None or not stream.isatty():
        return None
    from rich.console import Console

    console = Console(file=stream, highlight=False)
    return None if console.is_dumb_terminal else console


def of_training(item: TrainingProgress) -> Status:
    phase = f"epoch {item.epoch + 1}"
    facts = (
        f"step {item.step} of {item.total_steps}, loss {item.loss:.3f}, "
        f"accuracy {100 * item.accuracy:.1f} %"
    )
    line = f"{phase}, {facts}{_left(item.remaining)}"
    ended = item.step == item.total_steps
    return Status(phase, item.step, item.total_steps, facts, item.remaining, line, ended)


def of_unlearning(snapshot: Snapshot) -> Status:
    step = f"step {snapshot.step} of {snapshot.total_steps}"
    if snapshot.phase == "measuring":
        left = snapshot.remaining or None  # 0 before the first images are measured
        line = f"measuring every image after {step}{_left(left)}"
        return Status("measuring every image", 0, 0, f"after {step}", left, line, left is None)
    facts = step
    if snapshot.training_loss is not None:
        facts += f", loss {snapshot.training_loss:.3f}"
    if snapshot.probe is not None and snapshot.probe.mia is not None:
        facts += f", attack {100 * snapshot.probe.mia:.1f} %"
    line = f"{snapshot.phase}: {facts}{_left(snapshot.remaining)}"
    return Status(
        snapshot.phase, snapshot.step, snapshot.total_steps, facts, snapshot.remaining, line
    )


class Batches:
    """Shows work that is counted in batches, with the time left of each part of it."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._what, self._since = "", 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        if what != self._what:
            self._what, self._since = what, time.monotonic()
        left = None
        if 3 <= done < total:
            left = (time.monotonic() - self._since) / (done - 1) * (total - done)
        facts = f"{done} of {total} batches"
        line = f"{what}: {facts}{_left(left)}"
        self._show(Status(what, done, total, facts, left, line, done == total))


def of_sweep(item: SweepProgress) -> Status:
    """Each finished plan is shown at once."""
    run = item.run
    facts = f"{item.done} of {item.total}"
    what = f"{run.plan.method}, {run.plan.request.describe()}, seed {run.plan.seed}: {run.status}"
    if run.error:
        what += f" ({run.error})"
    line = f"{facts}: {what}{_left(item.remaining)}"
    return Status(run.plan.method, item.done, item.total, facts, item.remaining, line, True)


def of_download(items: Iterable[DownloadProgress]) -> Iterator[Status]:
    """The time left goes by what came since this file was begun, or gone on with."""
    file, resumed_at, since = "", 0, 0.0
    for item in items:
        if item.file != file or item.done < resumed_at:
            file, resumed_at, since = item.file, item.done, time.monotonic()
        spent, received = time.monotonic() - since, item.done - resumed_at
        left = spent / received * (item.total - item.done) if received else None
        facts = f"{item.done / 1e6:.0f} of {item.total / 1e6:.0f} MB {item.note}".rstrip()
        due = bool(item.note) or item.done == item.total
        yield Status(item.file, item.done, item.total, facts, left, f"{item.file}: {facts}", due)


def _left(remaining: float | None) -> str:
    return "" if remaining is None else f", about {remaining:.0f} s left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
