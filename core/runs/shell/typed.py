"""What may be typed for an option: seeds, settings, names of files."""

from __future__ import annotations

import re
from pathlib import Path

import typer

from core.data.requests import MOST_SEED
from core.errors import BadRequest, short


def seed(text: str | int) -> int:
    """A number from 0 to `MOST_SEED`."""
    if not re.fullmatch("[0-9]{1,10}", str(text)) or int(text) > MOST_SEED:
        raise typer.BadParameter(f"{short(str(text))} is not a seed from 0 to {MOST_SEED}")
    return int(text)


def setting(text: str) -> tuple[str, str]:
    """NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not equals:
        raise BadRequest(f"--set {short(text)} cannot be read.", "Write --set name=value.")
    return name, value


def file(text: str | Path) -> Path:
    """Any name but an option's: `--json --seed 1` has forgotten the file."""
    if str(text).startswith("--"):
        raise typer.BadParameter(f"{short(str(text))} is an option, and here should be a file")
    return Path(text)


def file_or_nothing(text: str) -> str:
    """The same, and "" where nothing is written."""
    return str(file(text)) if text else ""
