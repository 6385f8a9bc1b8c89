"""Weights that somebody else unlearned, judged as if a method of the lab had left them.

A researcher brings the weights of a new method and learns where it stands: they go through the same
run as every method's, and its record is kept, shown and compared like any other. A copy of the file
is kept, and the plan names it, so that the run can be repeated.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch

from core.checkpoints.outside import load_file_as
from core.errors import BadRequest, CheckpointMissing, short
from core.files import cache_folder, replacing
from core.models.classifier import Classifier
from core.runs.plan import Plan
from core.unlearners.base import Need, Step, Steps, Unlearner, UnlearningData

NAME = "brought"
"""What stands in a plan in place of a method's name; its one setting is "weights", see `keep`."""
LABEL = "Weights from outside"
ENDINGS = (".safetensors", ".pth", ".pt")
KEPT = 50
"""Files that are kept; the oldest go first, so that uploads cannot fill a disk."""


@dataclass(frozen=True, eq=False)
class Brought(Unlearner):
    """The weights of a file. weights: its name, see `keep`; state: as `state_dict` has it."""

    name, label, group = NAME, LABEL, "exact"
    needs: ClassVar[frozenset[Need]] = frozenset()
    draws = False
    sentence = "Takes weights that were unlearned elsewhere."
    paper = ""

    weights: str = ""
    state: Mapping[str, torch.Tensor] = dataclasses.field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Nothing is set by hand here, so nothing can be out of range."""

    def settings(self) -> dict[str, Any]:
        """The name of the file; what was set elsewhere is not known here."""
        return {"weights": self.weights}

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        model.load_state_dict(self.state)
        yield Step(1, 1)


def keep(file: Path) -> str:
    """Copies a file of weights into the cache folder; gives the name by which a plan calls it, made
    from its content. Raises BadRequest for a file that holds no weights by its name."""
    if file.suffix not in ENDINGS:
        raise BadRequest(
            f"{short(file.name)} is no file of weights.", f"Give one of {', '.join(ENDINGS)}."
        )
    if not file.is_file():
        raise CheckpointMissing(f"There is no file {file}.")
    with file.open("rb") as content:
        name = hashlib.file_digest(content, "sha256").hexdigest() + file.suffix
    kept = _folder() / name
    if not kept.exists():
        with replacing(kept) as part:
            shutil.copyfile(file, part)
    others = sorted(_folder().glob("*.*"), key=lambda path: path.stat().st_mtime)
    for oldest in others[:-KEPT]:
        oldest.unlink(missing_ok=True)
    return name


def method_of(plan: Plan, classes: int) -> Brought:
    """What a plan with this method's name stands for. Raises BadRequest or CheckpointMissing for
    weights that are not here, CheckpointCorrupt for what cannot be read or does not fit."""
    name = str(plan.settings.get("weights", ""))
    if not re.fullmatch(r"[0-9a-f]{64}\.(safetensors|pth|pt)", name):
        raise BadRequest("This plan names no weights to judge.", "Give the file again.")
    if not (_folder() / name).is_file():
        raise CheckpointMissing(
            f"The weights {name[:12]} are not on this machine.", "Give the file again."
        )
    model = load_file_as(plan.model, _folder() / name, classes)
    return Brought(name, model.state_dict())


def _folder() -> Path:
    return cache_folder() / "brought"
