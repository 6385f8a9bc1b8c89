"""What a result was made with: versions, machine, threads. Needed to repeat it bit for bit."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import Any

import torch

from core.models.precision import precision


def versions(device: torch.device | str = "cpu") -> dict[str, Any]:
    """Python, the libraries, the machine, its thread count, and the precision in which training
    steps compute here and now. Raises BadRequest where that setting cannot be read."""
    device = torch.device(device)
    libraries = {
        name: importlib.metadata.version(name)
        for name in ("torch", "torchvision", "numpy", "scikit-learn")
    }
    return {
        "python": platform.python_version(),
        **libraries,
        "machine": f"{platform.system()} {platform.machine()}",
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads(),
        "training_precision": precision(device),
    }
