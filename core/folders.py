"""Where files live: what ships with the project, and what this machine keeps."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

SHIPPED = Path(__file__).resolve().parent.parent / "models_cache"
"""Weights, their manifests, memorisation scores and finished runs that come with the project."""


def cache_folder() -> Path:
    """This machine's own data: `FORGETTING_LAB_CACHE`, else the platform's cache folder; made if
    it is not there."""
    named = os.environ.get("FORGETTING_LAB_CACHE")
    folder = (
        Path(named).expanduser() if named else Path(platformdirs.user_cache_dir("forgetting-lab"))
    )
    folder.mkdir(parents=True, exist_ok=True)
    return folder
