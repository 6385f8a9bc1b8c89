"""Looks inside finished runs, each in a thread of its own and one at a time: what a page shows
meanwhile is how far it is."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import LabError

if TYPE_CHECKING:
    from core.data.dataset import ImageDataset
    from core.inside.found import Inside
    from core.runs.run import Run

log = logging.getLogger(__name__)
_one_at_a_time = threading.Lock()


class Look:
    """A look inside one run; read its fields from any session.

    model: which is looked into, see `core.inside.look_inside`; "" while it waits for another look.
    share: 0 to 1. inside: what was found. error: why nothing was.
    """

    def __init__(self, run: Run, dataset: ImageDataset) -> None:
        self.model = ""
        self.share = 0.0
        self.inside: Inside | None = None
        self.error: LabError | None = None
        self._thread = threading.Thread(
            target=self._work, args=(run, dataset), name="inside", daemon=True
        )
        self._thread.start()

    def ended(self, seconds: float = 0.0) -> bool:
        """Whether it is done, or will be in so many seconds."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _work(self, run: Run, dataset: ImageDataset) -> None:
        try:
            from core.inside.look_inside import look_inside
            from core.runs.inside import subject_of

            subject = subject_of(run, dataset)
            self.inside = subject.found()
            if self.inside is None:
                with _one_at_a_time:
                    self.inside = look_inside(subject, self._seen)
        except LabError as error:
            self.error = error
        except Exception as error:
            log.exception("a look inside failed")
            self.error = LabError(f"Something went wrong in this look ({type(error).__name__}).")

    def _seen(self, model: str, share: float) -> None:
        self.model, self.share = model, share


def look(run: Run, dataset: ImageDataset) -> Look:
    """The look inside a finished run, begun by whoever asks first."""
    return _look(run.id, run, dataset)


@st.cache_resource(show_spinner=False, max_entries=16)
def _look(id: str, _run: Run, _dataset: ImageDataset) -> Look:
    return Look(_run, _dataset)


def forget(run: Run) -> None:
    """Lets the next visitor look anew, after an error."""
    _look.clear(run.id)


def weights(run: Run) -> bytes | None:
    """The file of the network that a run left, None where it is not kept here. Raises LabError."""
    from core.checkpoints.unlearned import unlearned

    left = unlearned(run.id)
    return left.weights.read_bytes() if left else None
