"""Trained weights and what they are: safetensors, each with a manifest in JSON beside it.

A checkpoint is looked up by architecture, data set and role: "base" (trained on everything), or
"retrained-DIGEST" (trained without the forget set of that digest). `models_cache/` ships some; what
this machine trains goes into its cache folder, which is searched second. Nothing is ever
unpickled: a `.pth` from outside loads with `weights_only=True`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from filelock import FileLock
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.errors import CheckpointCorrupt, CheckpointMissing
from core.files import SHIPPED, cache_folder, replacing
from core.models.classifier import Classifier
from core.models.registry import ARCHITECTURES, architecture_of, build_model

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Checkpoint:
    """Where the weights are and what the manifest says of them.

    manifest: architecture, dataset, role, classes, fingerprint, recipe, seed, accuracy, mia,
    seconds, versions, sha256; retrained ones also request and forget_digest.
    """

    weights: Path
    manifest: Mapping[str, Any]

    @property
    def sha256(self) -> str:
        """Of the weights file, as its manifest says."""
        return str(self.manifest["sha256"])

    def load(self, device: torch.device | str = "cpu") -> Classifier:
        """The model, in evaluation mode, in float32. Raises CheckpointCorrupt, or CheckpointMissing
        where only what it does with the images is kept."""
        if self.manifest.get("keep") == "logits":
            raise CheckpointMissing(
                f"Of the model {self.weights.stem} only its answers are kept.", _AGAIN_TO_LOAD
            )
        digest = hashlib.sha256(_read(self.weights)).hexdigest()
        if digest != self.sha256:
            raise CheckpointCorrupt(
                f"The weights in {self.weights.name} are damaged: their checksum is wrong.", AGAIN
            )
        model = build_model(
            str(self.manifest["architecture"]),
            int(self.manifest["classes"]),
            torch.Generator().manual_seed(0),
            device,
        )
        try:
            state = load_file(self.weights, device=str(device))
        except (SafetensorError, OSError) as error:
            raise CheckpointCorrupt(
                f"The weights in {self.weights.name} cannot be read.", AGAIN
            ) from error
        fit(model, state, self.weights.name)
        return model.eval()


_AGAIN_TO_LOAD = "Train it again to have its weights: python -m core train"


AGAIN = "Restore the file from the project, or delete it and train again: python -m core train"


def folder_of(architecture: str, dataset: str, root: Path) -> Path:
    """The folder of one model's checkpoints below `models_cache` or the cache folder."""
    return root / f"{architecture}-{dataset}"


def find(architecture: str, dataset: str, role: str = "base") -> Checkpoint:
    """The shipped checkpoint, else this machine's own. Raises CheckpointMissing, CheckpointCorrupt
    where the manifest cannot be read, or BadRequest for an unknown architecture."""
    architecture_of(architecture)
    for root in (SHIPPED, cache_folder() / "models"):
        if checkpoint := find_in(folder_of(architecture, dataset, root), role):
            return checkpoint
    raise CheckpointMissing(
        f"There is no {role} model of {architecture} for {dataset} yet.",
        f"Train one: python -m core train --model {architecture} --dataset {dataset}",
    )


def find_in(folder: Path, role: str) -> Checkpoint | None:
    """The checkpoint of that role in one folder, if there is one. Raises CheckpointCorrupt."""
    weights = folder / f"{role}.safetensors"
    if not weights.with_suffix(".json").exists():
        return None
    try:
        manifest = json.loads(weights.with_suffix(".json").read_text())
        texts = [manifest[key] for key in ("architecture", "fingerprint", "sha256")]
        if not all(isinstance(text, str) for text in texts) or texts[0] not in ARCHITECTURES:
            raise ValueError("not a manifest")
        if not 1 <= int(manifest["classes"]) <= 10_000:
            raise ValueError("not a number of classes")
        if not isinstance(manifest.get("index_order", ""), str):
            raise ValueError("not an order")
        if not all(type(n) in (int, float) for n in manifest.get("accuracy", {}).values()):
            raise ValueError("not accuracies")
    except (
        OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError,
    ) as error:  # fmt: skip
        raise CheckpointCorrupt(f"The manifest of {weights.name} cannot be read.", AGAIN) from error
    return Checkpoint(weights, manifest)


def load_model(
    architecture: str, dataset: str, role: str = "base", device: torch.device | str = "cpu"
) -> Classifier:
    """A trained model in evaluation mode: uint8 (N, 3, 32, 32) in, logits (N, classes) out."""
    return find(architecture, dataset, role).load(device)


REFERENCE_SEED = 1
"""What the reference of a forget set is trained with: not the base's 0, so that the two do not
start from the same weights."""


def retrained_role(forget_digest: str, seed: int = REFERENCE_SEED) -> str:
    """The role of a model trained without the forget set of that digest; one trained from another
    seed, to see how far two retrainings lie apart, says so."""
    return f"retrained-{forget_digest}" + (f"-seed{seed}" if seed != REFERENCE_SEED else "")


def retrained_seeds(architecture: str, dataset: str, forget_digest: str) -> list[int]:
    """The seeds from which models without the forget set of that digest were trained and are here,
    shipped or on this machine: the usual one first, then ascending."""
    usual_role = retrained_role(forget_digest)
    seeds = set()
    for root in (SHIPPED, cache_folder() / "models"):
        for file in folder_of(architecture, dataset, root).glob(f"{usual_role}*.json"):
            suffix = file.stem.removeprefix(usual_role)
            if not suffix:
                seeds.add(REFERENCE_SEED)
            elif (number := suffix.removeprefix("-seed")).isdecimal():
                seeds.add(int(number))
    return sorted(seeds, key=lambda seed: (seed != REFERENCE_SEED, seed))


def save(
    model: Classifier | None, folder: Path, role: str, manifest: Mapping[str, Any]
) -> Checkpoint:
    """Writes weights and manifest, each atomically, under a lock; an older manifest goes first and
    the new one comes last, so that what has one is whole even after a kill in between. `sha256` and
    `role` are added to the manifest. model: None where only what it does with the images is kept,
    beside the manifest; its `sha256` is then that of what made it."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / f"{role}.safetensors"
    with FileLock(folder / f".{role}.lock"):
        weights.with_suffix(".json").unlink(missing_ok=True)
        if model is None:
            weights.unlink(missing_ok=True)
            digest = hashlib.sha256(json.dumps(dict(manifest), sort_keys=True).encode()).hexdigest()
        else:
            digest = save_weights(model, weights)
        complete = {**manifest, "role": role, "sha256": digest}
        with replacing(weights.with_suffix(".json")) as part:
            part.write_text(json.dumps(complete, indent=2, sort_keys=True) + "\n")
    (folder / f".{role}.lock").unlink(missing_ok=True)
    return Checkpoint(weights, complete)


def save_weights(model: Classifier, file: Path) -> str:
    """Writes the model's weights as safetensors, atomically; returns the file's sha256. Weights
    that are no more than float16 are written so."""
    # safetensors wants contiguous tensors; channels-last ones are not.
    state = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    for name, value in state.items():
        if value.ndim > 1 and torch.equal(value, value.half().to(value.dtype)):
            state[name] = value.half()
    with replacing(file) as part:
        save_file(state, part)
        digest = hashlib.sha256(part.read_bytes()).hexdigest()
    return digest


def fit(model: Classifier, state: Mapping[str, Tensor], name: str) -> None:
    try:
        model.load_state_dict(dict(state))
    except (RuntimeError, TypeError, AttributeError, ValueError) as error:
        raise CheckpointCorrupt(
            f"The weights in {name} do not fit this architecture.",
            f"They must be those of {type(model).__name__}.",
        ) from error


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CheckpointCorrupt(f"The weights in {file.name} cannot be read.", AGAIN) from error
