"""Where files live: what ships with the project, and what this machine keeps."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from core.errors import LabError

SHIPPED = Path(__file__).resolve().parent.parent / "models_cache"
"""Weights, their manifests, memorisation scores and finished runs that come with the project."""


def cache_folder() -> Path:
    """This machine's own data: `FORGETTING_LAB_CACHE`, else the platform's cache folder; made if
    it is not there. Raises LabError where it cannot be."""
    named = os.environ.get("FORGETTING_LAB_CACHE")
    folder = Path(named or platformdirs.user_cache_dir("forgetting-lab"))
    try:
        folder = folder.expanduser()
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: ~NAME of no known user
        why = getattr(error, "strerror", error)
        if isinstance(error, FileExistsError):
            why = "it is a file"
        raise LabError(
            f"The cache folder {folder} cannot be made: {why}.",
            "Set FORGETTING_LAB_CACHE to a folder that can be written to.",
        ) from error
    return folder
