"""Weights from outside, which are never unpickled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file

from core.checkpoints.storage import fit
from core.errors import CheckpointCorrupt, CheckpointMissing
from core.models.classifier import Classifier
from core.models.registry import build_model
from core.models.resnet18 import ResNet18

if TYPE_CHECKING:
    pass


def load_file_as(architecture: str, file: Path, classes: int = 10) -> Classifier:
    """Weights from outside, `.safetensors` or `.pth` (a state dict), as a model in evaluation mode.

    A `.pth` loads with `weights_only=True`; torchvision's ResNet-18 keys fit `resnet18`. Raises
    CheckpointMissing or CheckpointCorrupt.
    """
    if not file.is_file():
        raise CheckpointMissing(f"There is no file {file}.")
    model = build_model(architecture, classes, torch.Generator().manual_seed(0))
    try:
        if file.suffix == ".safetensors":
            state = load_file(file)
        else:
            state = torch.load(file, map_location="cpu", weights_only=True)
            state = dict(state.get("state_dict", state))
    except Exception as error:  # torch.load raises whatever it stumbles over in damaged bytes
        raise CheckpointCorrupt(
            f"{file.name} does not hold weights that can be read safely.",
            "Give a state dict saved by torch.save, or a .safetensors file.",
        ) from error
    if isinstance(model, ResNet18) and "fc.weight" in state:
        state = {f"net.{name}": value for name, value in state.items()}
    fit(model, state, file.name)
    return model.eval()
