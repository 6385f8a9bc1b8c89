"""Which shell unlearns a model that is no image classifier."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import BadRequest

MODELS = {
    **dict.fromkeys(("gcn", "sage", "sgc"), "core.runs.shell.graphs"),
    **dict.fromkeys(
        ("naive_bayes", "categorical_bayes", "chow_liu", "tan", "discriminant"),
        "core.runs.shell.graphical",
    ),
    **dict.fromkeys(("mixture", "hmm", "logistic"), "core.runs.shell.graphical"),
}
"""By the model's name, the module whose `unlearn(Asked)` gives the exit code; loaded when asked."""


@dataclass(frozen=True)
class Asked:
    """What was typed for `unlearn`: `forget` as it stands, settings as text by name, json "" where
    none is written."""

    model: str
    dataset: str
    data: Path | None
    forget: str
    forget_seed: int
    method: str
    settings: dict[str, Any]
    seed: int
    json: str
    weights: Path | None = None


def unlearn(asked: Asked) -> int:
    """The exit code. Raises LabError."""
    if asked.weights:
        raise BadRequest(f"The weights of {asked.model} are not kept.", "Leave --weights out.")
    code: int = importlib.import_module(MODELS[asked.model]).unlearn(asked)
    return code
