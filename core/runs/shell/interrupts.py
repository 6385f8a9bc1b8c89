"""Ctrl-C: the first asks the work to stop and keep what was done, the second ends it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def stopped_by_ctrl_c() -> Iterator[Callable[[], bool]]:
    """Gives a function: was Ctrl-C pressed? A second one raises KeyboardInterrupt."""
    stop = threading.Event()

    def cancel(*_: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    previous = signal.signal(signal.SIGINT, cancel)
    try:
        yield stop.is_set
    finally:
        signal.signal(signal.SIGINT, previous)
