"""What one visitor may do with a run of the queue or the store, where strangers share a server. A
visitor is known by a secret token; whoever knows only a run's id, from an address, has no right."""

from __future__ import annotations

import hmac

from core.errors import BadRequest, NotYours, RunMissing
from core.runs.job import hashed
from core.runs.queue import JobQueue
from core.runs.store.access import access_to, keep_private, share, ships


def owns(queue: JobQueue, id: str, token: str) -> bool:
    """Whether the visitor has started this run."""
    owner = queue.owner_of(id)
    return bool(owner) and hmac.compare_digest(owner, hashed(token))


def is_shared(queue: JobQueue, id: str) -> bool:
    """Whether the run's link was given away."""
    found = access_to(queue.store, id)
    return found is not None and found.shared > 0


def check_seen(queue: JobQueue, id: str, token: str) -> None:
    """Raises RunMissing for a run that is another's and not shared, in the same words as for one
    that is not there."""
    if not (owns(queue, id, token) or is_shared(queue, id) or ships(queue.store, id)):
        raise RunMissing(
            f"There is no run {id[:80]!r} here, or it is private.",
            "Whoever started it can share its link.",
        )


def set_shared(queue: JobQueue, id: str, token: str, shared: bool) -> None:
    """Lets whoever has the run's link see it, or no longer. Raises NotYours or RunMissing."""
    _check_owned(queue, id, token)
    (share if shared else keep_private)(queue.store, id)


def delete(queue: JobQueue, id: str, token: str) -> None:
    """Deletes a run that has ended. Raises NotYours, RunMissing, or BadRequest while it runs."""
    _check_owned(queue, id, token)
    if queue.get(id).alive:
        raise BadRequest("This run has not ended yet.", "Stop it first.")
    queue.store.delete(id)
    queue.forget(id)


def _check_owned(queue: JobQueue, id: str, token: str) -> None:
    if not owns(queue, id, token):
        raise NotYours("Only the one who started this run can do that.")
