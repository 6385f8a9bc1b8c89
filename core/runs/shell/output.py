"""What a command puts on the screen and into files: results on stdout, the rest on stderr.

What takes a while to import is imported in the functions: the shell's help needs none of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.runs.shell import progress
from core.runs.shell.exit_codes import CANCELLED
from core.runs.shell.interrupts import stopped_by_ctrl_c
from core.runs.shell.report import report, table
from core.runs.shell.targets import SCREEN, write_json

if TYPE_CHECKING:
    from core.runs.run import Run
    from core.runs.store.store import Store
    from core.runs.task import Task


def run_kept(task: Task, store: Store, json: str, weights: Path | None) -> int:
    """Runs, keeps and shows; gives the exit code. weights: where the unlearned ones go."""
    from core.runs.shell.kept import kept_run, recovered

    say(*recovered(store))
    with stopped_by_ctrl_c() as stop, progress.progress(every=2) as show:
        run, unsaved = kept_run(
            task,
            store,
            stop=stop,
            weights_file=weights,
            show=lambda snapshot: show(progress.of_unlearning(snapshot)),
        )
    show_run(run, json)
    if unsaved is not None:
        raise unsaved
    return CANCELLED if run.status == "partial" else 0


def show_run(run: Run, json: str) -> None:
    """The table on the screen, unless JSON goes there."""
    if json != SCREEN:
        put(table(run))
    if json:
        write_json(json, report(run))


def answer(content: Any, lines: Iterable[str], json: str) -> None:
    """JSON where it is asked for, else the lines on the screen."""
    if json:
        write_json(json, content)
    else:
        put(lines)


def put(lines: Iterable[str]) -> None:
    """On stdout: a result."""
    sys.stdout.writelines(f"{line}\n" for line in lines)


def say(*lines: str) -> None:
    """On stderr: what is to know besides."""
    sys.stderr.writelines(f"{line}\n" for line in lines)
