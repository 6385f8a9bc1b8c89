"""The errors that a person can meet, each with what happened and what helps.

`str(error)` is the one sentence that a screen or a shell shows; the traceback goes to the log.
"""

from __future__ import annotations


class LabError(Exception):
    """What happened, in one sentence, and a hint that helps (may be empty)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


def short(text: str, most: int = 60) -> str:
    """What somebody typed, in quotes on one line, cut where it is long."""
    return repr(text if len(text) <= most else text[:most] + "…")


class BadRequest(LabError):
    """A request that cannot be carried out as it stands (shell exit code 2)."""


class EmptyForgetSet(BadRequest):
    """A request that selects no image."""


class EverythingForgotten(BadRequest):
    """A request that leaves no image to retain."""


class IndexOutOfRange(BadRequest):
    """An image index outside 0 .. N-1."""


class UnknownClass(BadRequest):
    """A class name that the data set does not have."""


class UnknownMethod(BadRequest):
    """An unlearning method that is not registered."""


class BadSetting(BadRequest):
    """A hyper-parameter that the method does not have, or out of its range."""


class DataMissing(LabError):
    """The data set is not on this machine."""


class DataCorrupt(LabError):
    """Image data that cannot be read or fails its checksum."""


class DownloadFailed(LabError):
    """A download that did not end with the right bytes."""


class CheckpointMissing(LabError):
    """No trained weights of that name."""


class CheckpointCorrupt(LabError):
    """Weights that cannot be read, fail their checksum or do not fit the architecture."""


class StoreCorrupt(LabError):
    """A database or an array file of finished runs that cannot be read."""


class Cancelled(LabError):
    """Work that somebody stopped."""


class StoreUnavailable(LabError):
    """A database of finished runs that cannot be used just now, or by this version."""


class RunMissing(BadRequest):
    """No run of that id."""


class RunCleared(RunMissing):
    """A run that was there, and had to make room."""


class QueueFull(BadRequest):
    """No more jobs are taken now, from one person or from anybody."""


class NotYours(BadRequest):
    """Only the one who started a run may stop, share or delete it."""


class Diverged(LabError):
    """An unlearning method whose loss stopped being a finite number."""
