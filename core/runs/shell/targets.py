"""Where results are written: a file that is there whole or not at all, or the screen."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from core.errors import BadRequest
from core.files import replacing

SCREEN = "-"


def check_targets(json: str, weights: Path | None) -> None:
    """Raises BadRequest, before the work starts, where a file could not be written."""
    for file in (Path(json) if json and json != SCREEN else None, weights):
        if file is not None:
            _check(file)


def _check(file: Path) -> None:
    if file.is_dir():
        raise BadRequest(f"{file} cannot be written: it is a folder.")
    if not file.absolute().parent.is_dir():
        raise BadRequest(f"{file} cannot be written: its folder does not exist.")


def write_json(target: str, content: Any) -> None:
    """To a file of that name, or to the screen for "-". Raises BadRequest."""
    write_text(target, json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_text(target: str, text: str) -> None:
    """The same of any text."""
    if target == SCREEN:
        sys.stdout.write(text)
        return
    file = Path(target)
    _check(file)
    try:
        with replacing(file) as part:
            part.write_text(text)
    except OSError as error:
        raise BadRequest(f"{file} cannot be written ({error.strerror}).") from error
