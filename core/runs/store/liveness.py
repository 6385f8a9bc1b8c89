"""Whether the process of a running run is still alive."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

from core.runs.store.tables import Row

SILENT_SECONDS = 3600.0
"""A run on another host counts as dead after this long without progress."""


def why_lost(steps_done: int, total_steps: int) -> str:
    """What is known of a run whose process died: not whether its last step was done."""
    noted = "no step was noted"
    if steps_done:
        noted = f"the last that was noted is step {steps_done:,}"
        noted += f" of {total_steps:,}" if total_steps else ""
    return (
        f"The process of this run ended before the run was saved, so its result is lost; {noted}. "
        "Start it again with the same settings."
    )


def is_alive(row: Row) -> bool:
    """Whether the process that works on a row may still do so."""
    if row.host != socket.gethostname() or not row.process_start:
        return time.time() - row.last_progress < SILENT_SECONDS
    return process_start(row.pid) == row.process_start


def process_start(pid: int) -> str | None:
    """When a process began, in a form that no other process of this machine shares with its pid.

    None where there is no such process (or it has ended and only waits to be collected).
    """
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            # After the name, which may hold anything, in brackets: state, ..., field 22 start time
            values = stat.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            return None
        boot = Path("/proc/sys/kernel/random/boot_id")  # the start time counts from the boot
        named = boot.read_text().strip() if boot.exists() else ""
        return None if values[0] in "ZX" else f"{named} {values[19]}"
    if sys.platform == "win32":
        return ""  # there `is_alive` goes by progress alone
    shown = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return shown.stdout.strip() or None
