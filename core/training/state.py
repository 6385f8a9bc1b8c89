"""What a training goes on from after a kill: weights, optimisers, generator, order; one file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from core.files import replacing
from core.models.classifier import Classifier


@dataclass
class TrainingState:
    """All that a training goes on from. Loading fills the tensors and objects in place."""

    model: Classifier
    optimisers: Sequence[torch.optim.Optimizer]
    generator: torch.Generator
    order: Tensor
    learned: Tensor
    step: int = 0
    seconds: float = 0.0

    def save(self, file: Path, identity: str) -> None:
        """Writes all of it, atomically."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        for name, weight in self.model.named_parameters():
            for optimiser in self.optimisers:
                momentum = optimiser.state.get(weight, {}).get("momentum_buffer")
                if momentum is not None:
                    tensors[f"momentum.{name}"] = momentum
        tensors |= {
            "generator": self.generator.get_state(),
            "order": self.order,
            "learned": self.learned,
        }
        metadata = {"identity": identity, "step": str(self.step), "seconds": str(self.seconds)}
        contiguous = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        with replacing(file) as part:
            save_file(contiguous, part, metadata=metadata)

    def restore(self, file: Path, identity: str) -> None:
        """Takes over what the file holds; leaves everything as it is where there is no file, it
        belongs to another training, or it cannot be read."""
        try:
            with safe_open(file, framework="pt") as saved:
                metadata = saved.metadata()
                if metadata.get("identity") != identity:
                    return
                tensors = {name: saved.get_tensor(name) for name in saved.keys()}  # noqa: SIM118
                step, seconds = int(metadata["step"]), float(metadata.get("seconds", 0))
        except (SafetensorError, OSError, KeyError, ValueError, AttributeError):
            return
        self.step, self.seconds = step, seconds
        self.model.load_state_dict(
            {name[6:]: value for name, value in tensors.items() if name.startswith("model.")}
        )
        names = {weight: name for name, weight in self.model.named_parameters()}
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                for weight in group["params"]:
                    if (saved_momentum := tensors.get(f"momentum.{names[weight]}")) is not None:
                        # With the parameter's strides, which SGD's arithmetic relies on.
                        momentum = torch.empty_like(weight)
                        momentum.copy_(saved_momentum)
                        optimiser.state[weight]["momentum_buffer"] = momentum
        self.generator.set_state(tensors["generator"])
        self.order.copy_(tensors["order"])
        self.learned.copy_(tensors["learned"])
