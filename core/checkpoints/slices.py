"""The states of an ensemble's shards, kept beside its weights: what unlearning goes on from."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from core.checkpoints.storage import Checkpoint
from core.errors import CheckpointCorrupt
from core.models.sisa import Sisa
from core.training.shard_states import State, save_tensors
from core.training.shards import SLICES, Stored, TrainedShards


def save_states(trained: TrainedShards, folder: Path, role: str) -> dict[str, Any]:
    """Writes the states in one file beside the weights of that role, atomically; an older manifest
    goes first, since it names the older states. Returns the fields for the new manifest."""
    file = folder / f"{role}-slices.safetensors"
    file.with_name(f"{role}.json").unlink(missing_ok=True)
    save_tensors(
        {
            f"{key}.{name}": value
            for key, state in trained.states.items()
            for name, value in state.tensors().items()
        },
        file,
    )
    return {
        "shards": Sisa.SHARDS,
        "slices": SLICES,
        "members": list(trained.members),
        "slices_sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }


def stored(base: Checkpoint) -> Stored:
    """What is stored of a trained ensemble. Raises CheckpointCorrupt."""
    file = _slices_file(base)
    try:
        intact = hashlib.sha256(file.read_bytes()).hexdigest() == base.manifest["slices_sha256"]
        seed = int(base.manifest["seed"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise _damaged(file) from error
    if not intact:
        raise _damaged(file)
    return Stored(seed, functools.partial(_find, base))


def _find(base: Checkpoint, key: str) -> State | None:
    """A state of a slice, or a member of the ensemble itself."""
    try:
        names: list[str] = list(base.manifest.get("members", []))
        if key in names:
            return State(_tensors(base.weights, f"members.{names.index(key)}."))
        tensors = _tensors(_slices_file(base), f"{key}.")
        return State.of(tensors) if tensors else None
    except (SafetensorError, OSError, KeyError, TypeError) as error:
        raise _damaged(_slices_file(base)) from error


def _slices_file(base: Checkpoint) -> Path:
    return base.weights.with_name(f"{base.weights.stem}-slices.safetensors")


def _damaged(file: Path) -> CheckpointCorrupt:
    return CheckpointCorrupt(
        f"The states of the shards in {file.name} are damaged or missing.",
        "Restore the file from the project, or delete the model and train it again: "
        "python -m core train --model sisa",
    )


def _tensors(file: Path, prefix: str) -> dict[str, Tensor]:
    """The tensors of a file whose names begin with `prefix`, by name without it."""
    with safe_open(file, framework="pt") as saved:
        names = [name for name in saved.keys() if name.startswith(prefix)]  # noqa: SIM118
        return {name[len(prefix) :]: saved.get_tensor(name) for name in names}
