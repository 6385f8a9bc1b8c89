"""How a session begins, and what changes with each page."""

from __future__ import annotations

from ui.links import Draft
from ui.services import images
from ui.state import owner
from ui.state.session import session


def begin(title: str) -> None:
    """A new session's first values; on another page than before, what the last one said is over."""
    if "draft" not in session:
        session.draft = Draft(dataset="cifar10" if images.available("cifar10") else "digits")
        session.written = session.draft
        session.problems = []
        session.address = {}
        session.run = None
        session.photo = None
        session.jobs = []
        session.together = []
        session.compare = session.compare_default = []
        session.page = title
        session.long = {}
        session.owner = owner.token()
    if session.page != title:
        session.page, session.problems = title, []
        session.compare_default = session.compare
