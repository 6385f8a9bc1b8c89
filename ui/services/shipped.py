"""What comes with the project: finished runs, measured methods, and what the anchor gives back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import streamlit as st

from core.errors import LabError
from core.files import SHIPPED
from core.runs import measured
from core.runs.run import Run
from core.runs.run_files import run_from_files, shipped_runs
from core.runs.summary import RunSummary
from ui import links
from ui.wording.anchor import Row
from ui.wording.cases import PRESETS


def runs_folder() -> Path:
    """Where the runs that ship are."""
    return SHIPPED / "runs"


@st.cache_data(show_spinner=False)
def summaries() -> list[RunSummary]:
    """The runs that come with the project; needs neither store nor network."""
    return shipped_runs(runs_folder())


def of_case(case: str) -> RunSummary | None:
    """The run of a classic case (`ui.wording.cases`) on CIFAR-10: fine-tuning if there are
    several."""
    text = next(preset.requests["cifar10"] for preset in PRESETS if preset.key == case)
    wanted = ("cifar10", links.forget_request(text))
    found = [run for run in summaries() if (run.plan.dataset, run.plan.request) == wanted]
    return min(found, key=lambda run: run.plan.method != "fine_tune", default=None)


@st.cache_resource(show_spinner=False, max_entries=8)
def run(id: str) -> Run:
    """A run that comes with the project, read without the store. Raises LabError."""
    return run_from_files(runs_folder(), id)


@st.cache_data(show_spinner=False, ttl="10m")
def measured_methods() -> list[dict[str, Any]]:
    """What `core.runs.measured` ships. Raises LabError for a damaged file."""
    return measured.measured_methods(SHIPPED)


def anchor_rows() -> list[Row]:
    """The rows of story.json, none where the file is not there. Raises LabError if damaged."""
    file = SHIPPED / "story.json"
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
        if not all(isinstance(row["name"], str) for row in rows):
            raise TypeError("a name is not text")
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise LabError(
            f"The measurements in {file} cannot be read.", "Run python -m benchmarks.story again."
        ) from error
    return list(rows)
