"""Choices too long for a link, which carries their id: stored under it, and found again."""

from __future__ import annotations

import contextlib
import hashlib

from core.data.requests import ForgetRequest
from core.errors import BadRequest, LabError
from core.files import requests_folder
from core.runs.run_files import write_file
from ui import links, outside
from ui.services import hosting


def id_of(request: ForgetRequest) -> str:
    """What `keep` stores a request under: 16 hexadecimal digits of its content."""
    return hashlib.sha256(request.to_json().encode()).hexdigest()[:16]


def keep(request: ForgetRequest) -> str:
    """Stores a request that is too long for a link; gives its id. Raises LabError."""
    id = id_of(request)
    path = requests_folder() / f"{id}.json"
    try:
        if not path.exists():
            write_file(path, request.to_json().encode())
            _make_room()
    except OSError as error:
        raise LabError(
            "A choice of so many images has a link only once it is stored, and this server cannot "
            f"store it ({error.strerror}).",
            f"Choose at most {links.MOST_INDICES:,}, or try again later.",
        ) from error
    return id


def _make_room() -> None:
    from core.runs.room import make_room_for_choices  # imports SQLAlchemy

    make_room_for_choices(hosting.limits())


def find(id: str) -> ForgetRequest:
    """The inverse of `keep`. Raises BadRequest."""
    try:
        path = requests_folder() / f"{id}.json"
        text = path.read_text()
        with contextlib.suppress(OSError):
            path.touch()  # the last ones to be opened are kept longest
    except OSError as error:
        raise BadRequest(
            "The chosen images that this link names are not on this server."
            + " It clears those that nobody has opened for long." * outside.hosted()
        ) from error
    except UnicodeDecodeError as error:
        raise BadRequest(
            "The chosen images that this link names are damaged on this server.",
            "Choose them anew.",
        ) from error
    return ForgetRequest.from_json(text)
