"""The download of CIFAR-10, one a process, in a thread of its own."""

from __future__ import annotations

import logging
import threading

import streamlit as st

from core.errors import LabError

log = logging.getLogger(__name__)
SIZE_MB = 163


class Download:
    """A download in a thread of its own; read its fields from any session."""

    def __init__(self) -> None:
        self.file = ""
        self.done = 0
        self.total = 0
        self.error = ""
        self.running = False
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Starts unless one is running."""
        with self._lock:
            if self.running:
                return
            self.running, self.error = True, ""
            self._stop.clear()
            threading.Thread(target=self._work, name="download", daemon=True).start()

    def cancel(self) -> None:
        """Stops soon; what has arrived is kept, and the next start goes on from there."""
        self._stop.set()

    def _work(self) -> None:
        try:
            from core.data.download import download

            steps = download("cifar10")
            for progress in steps:
                self.file, self.done, self.total = progress.file, progress.done, progress.total
                if self._stop.is_set():
                    steps.close()
                    break
        except LabError as error:
            log.warning("download failed: %s", error)
            self.error = str(error)
        except Exception:
            log.exception("download failed")
            self.error = (
                "The download failed. Try again, or name a folder with FORGETTING_LAB_DATA."
            )
        finally:
            self.running = False


@st.cache_resource(show_spinner=False)
def current() -> Download:
    """The one download of this process."""
    return Download()
