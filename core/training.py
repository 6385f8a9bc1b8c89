"""One training loop, a generator of progress: crop and flip on tensors, SGD with Nesterov momentum
and a one-cycle or cosine learning rate, resumable after a kill at any moment.

What short runs memorise, they memorise in the last epochs, which run without augmentation.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from core.errors import CheckpointCorrupt
from core.models import (
    Classifier,
    Compact,
    build_model,
    check_architecture,
    precision,
    training_precision,
)
from core.subsets import Images


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    epochs: passes over the images. clean_epochs: how many of them, at the end, without crop and
    flip. learning_rate: the peak. schedule: "one_cycle" rises linearly over the first `warmup`
    share and falls linearly to 0; "cosine" falls from the peak.
    """

    epochs: int = 14
    clean_epochs: int = 3
    batch_size: int = 128
    learning_rate: float = 0.2
    momentum: float = 0.9
    weight_decay: float = 1e-3
    schedule: Literal["one_cycle", "cosine"] = "one_cycle"
    warmup: float = 0.2
    crop: int = 2

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, fields: Any) -> Recipe:
        """The inverse of `to_dict`. Raises CheckpointCorrupt: recipes stand in manifests."""
        try:
            found = cls(**fields)
            for field in dataclasses.fields(cls):
                value = getattr(found, field.name)
                if field.name == "schedule":
                    right = value in ("one_cycle", "cosine")
                else:
                    whole = isinstance(field.default, int)
                    right = type(value) is int or (type(value) is float and not whole)
                    right = right and 0 <= value < 1e6
                if not right:
                    raise ValueError(field.name)
            if not (found.epochs and found.batch_size and 0 < found.warmup < 1):
                raise ValueError("nothing to train with")
        except (TypeError, ValueError) as error:
            raise CheckpointCorrupt(
                "The recipe in the manifest of the weights cannot be read.",
                "Restore the manifest, or train the model again: python -m core train",
            ) from error
        return found

    def rate(self, step: int, total: int) -> float:
        """The learning rate of batch `step` of `total`."""
        done = step / total
        if self.schedule == "cosine":
            return self.learning_rate * 0.5 * (1 + float(np.cos(np.pi * done)))
        return self.learning_rate * min(done / self.warmup, (1 - done) / (1 - self.warmup))


_DIGITS = Recipe(epochs=24, clean_epochs=24, batch_size=32, learning_rate=0.05)
RECIPES: dict[tuple[str, str], Recipe] = {
    ("compact", "cifar10"): Recipe(),
    ("compact", "digits"): _DIGITS,
    ("resnet18", "cifar10"): Recipe(epochs=30, clean_epochs=6, learning_rate=0.1, crop=4),
    ("resnet18", "digits"): _DIGITS,
    ("sisa", "cifar10"): Recipe(),
    ("sisa", "digits"): _DIGITS,
}
"""What trains a base model and its retrained references, by architecture and data set."""


def recipe_for(architecture: str, dataset: str) -> Recipe:
    """The recipe of a known pair; other data sets train like CIFAR-10. Raises BadRequest for an
    unknown architecture."""
    check_architecture(architecture)
    return RECIPES.get((architecture, dataset), RECIPES[architecture, "cifar10"])


def recipe_of(manifest: Mapping[str, Any], dataset: str) -> Recipe:
    """What a checkpoint of this manifest was trained with; the usual one where it does not say.
    Raises CheckpointCorrupt."""
    kept = manifest.get("recipe")
    return Recipe.from_dict(kept) if kept else recipe_for(str(manifest["architecture"]), dataset)


@dataclass(frozen=True)
class TrainingProgress:
    """One batch done. seconds and remaining: of this process; remaining is None before the third
    step. accuracy: on the batches of this epoch so far, as augmented, 0 to 1."""

    step: int
    total_steps: int
    epoch: int
    loss: float
    accuracy: float
    seconds: float
    remaining: float | None
    resumed_at: int


@dataclass(frozen=True)
class Trained:
    """The last item of `train`. learned: (n,) for each image the mean over epochs of the
    probability that the network gave its label when it met it in training; low is learned late.
    seconds: of training, those of earlier processes that this one went on from included."""

    model: Classifier
    learned: NDArray[np.float32]
    seconds: float


def augment(images: Tensor, crop: int, generator: torch.Generator) -> Tensor:
    """Random shift by up to `crop` pixels (reflected at the border) and random mirroring.

    images: uint8 (n, 3, s, s), n >= 1; the result has the same shape. Draws on the CPU, so that a
    seed gives the same images on every device.
    """
    n, _, size, _ = images.shape
    top, left = torch.randint(2 * crop + 1, (2, n, 1), generator=generator)
    mirrored = torch.rand(n, 1, generator=generator) < 0.5
    rows = torch.arange(size) + top - crop
    columns = torch.arange(size) + left - crop
    columns = torch.where(mirrored, columns.flip(1), columns)
    # Reflection without a padded copy: -1 is pixel 1, size is pixel size - 2.
    rows, columns = (
        torch.where(index < size, index.abs(), 2 * (size - 1) - index).to(images.device)
        for index in (rows, columns)
    )
    each = torch.arange(n, device=images.device)
    channels_last = images.permute(0, 2, 3, 1)
    picked = channels_last[each[:, None, None], rows[:, :, None], columns[:, None, :]]
    return picked.permute(0, 3, 1, 2)


def train(
    architecture: str,
    images: Images,
    recipe: Recipe,
    seed: int,
    *,
    classes: int = 10,
    device: torch.device | str = "cpu",
    into: Classifier | None = None,
    start: Classifier | None = None,
    state_file: Path | None = None,
    save_every: float = 20.0,
) -> Iterator[TrainingProgress | Trained]:
    """Trains a new network on `images` and nothing else; yields after each batch, `Trained` last.

    into: a network of that architecture that is overwritten with the new one from the start, so
    that its owner can watch; a new object without it.
    start: a network to go on with, in place of a new one; not together with a state file, which
    would not know its weights.
    state_file: where the state is saved, atomically, every `save_every` seconds and on leaving
    early; a later call with the same arguments goes on from there and ends bit-equal to an unbroken
    one (same machine, versions and thread count). Once `Trained` was yielded it is removed when the
    caller asks on, so that a kill while the caller saves the model costs no training. A state of
    other arguments, or one that cannot be read, is started over.
    """
    device = torch.device(device)
    identity = _identity(architecture, images, recipe, seed, classes, device)
    generator = torch.Generator().manual_seed(seed)
    model = start or build_model(architecture, classes, generator, device)
    if into is not None:
        into.load_state_dict(model.state_dict())
        model = into
    if isinstance(model, Compact) and start is None:
        some = torch.randperm(len(images), generator=generator)[:5000]
        model.whiten(images.batch(some, device)[0])
    optimiser = make_optimiser(model, recipe.learning_rate, recipe.momentum, recipe.weight_decay)
    per_epoch = images.steps(recipe.batch_size)
    total = recipe.epochs * per_epoch
    order = torch.randperm(len(images), generator=generator)
    state = _State(model, optimiser, generator, order, torch.zeros(len(images)))
    if state_file:
        state.restore(state_file, identity)
    resumed_at, before, started = state.step, state.seconds, time.perf_counter()
    saved = started
    correct = seen = 0
    model.train()
    try:
        while state.step < total:
            epoch, position = divmod(state.step, per_epoch)
            if position == 0:
                correct = seen = 0
                if state.step:
                    order.copy_(torch.randperm(len(images), generator=generator))
            chosen = order[position * recipe.batch_size : (position + 1) * recipe.batch_size]
            x, y = images.batch(chosen, device)
            if epoch < recipe.epochs - recipe.clean_epochs:
                x = augment(x, recipe.crop, generator)
            for group in optimiser.param_groups:
                group["lr"] = recipe.rate(state.step, total)
            with training_precision(device):
                logits = model(x)
            loss = F.cross_entropy(logits.float(), y)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            with torch.no_grad():
                right = logits.float().softmax(1).gather(1, y[:, None])[:, 0].cpu()
                state.learned[chosen] += right / recipe.epochs
                correct += int((logits.argmax(1) == y).sum())
                seen += len(y)
            state.step += 1
            now = time.perf_counter()
            state.seconds = before + now - started
            if state_file and now - saved > save_every:
                state.save(state_file, identity)
                saved = now
            done = state.step - resumed_at
            yield TrainingProgress(
                state.step,
                total,
                epoch,
                float(loss.detach()),
                correct / seen,
                now - started,
                (now - started) / done * (total - state.step) if done >= 3 else None,
                resumed_at,
            )
    except GeneratorExit:
        if state_file:
            state.save(state_file, identity)
        raise
    if state_file:
        state.save(state_file, identity)
    yield Trained(model.eval(), state.learned.numpy(), state.seconds)
    if state_file:
        state_file.unlink(missing_ok=True)


def make_optimiser(
    model: Classifier, learning_rate: float, momentum: float = 0.9, weight_decay: float = 0.0
) -> torch.optim.SGD:
    """SGD with Nesterov momentum; weight decay on matrices and kernels only, not on biases and
    BatchNorm's scales."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.SGD(
        groups,
        lr=learning_rate,
        momentum=momentum,
        nesterov=momentum > 0,
        # Fused SGD on the CPU gives wrong weights where strides differ; see design.md.
        fused=next(model.parameters()).is_cuda,
    )


def _identity(
    architecture: str,
    images: Images,
    recipe: Recipe,
    seed: int,
    classes: int,
    device: torch.device,
) -> str:
    """Names a training: a saved state goes on only with the same one."""
    fields = {
        "architecture": architecture,
        "recipe": recipe.to_dict(),
        "seed": seed,
        "classes": classes,
        "images": images.digest(),
        "precision": precision(device),
    }
    return json.dumps(fields, sort_keys=True)


@dataclass
class _State:
    """All that a training goes on from. Loading fills the tensors and objects in place."""

    model: Classifier
    optimiser: torch.optim.SGD
    generator: torch.Generator
    order: Tensor
    learned: Tensor
    step: int = 0
    seconds: float = 0.0

    def save(self, file: Path, identity: str) -> None:
        """Writes all of it, atomically."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        for name, weight in self.model.named_parameters():
            momentum = self.optimiser.state[weight].get("momentum_buffer")
            if momentum is not None:
                tensors[f"momentum.{name}"] = momentum
        tensors |= {
            "generator": self.generator.get_state(),
            "order": self.order,
            "learned": self.learned,
        }
        temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(
            {name: value.detach().cpu().contiguous() for name, value in tensors.items()},
            temporary,
            metadata={
                "identity": identity,
                "step": str(self.step),
                "seconds": str(self.seconds),
            },
        )
        os.replace(temporary, file)

    def restore(self, file: Path, identity: str) -> None:
        """Takes over what the file holds; leaves everything as it is where there is no file, it
        belongs to another training, or it cannot be read."""
        try:
            with safe_open(file, framework="pt") as saved:
                about = saved.metadata()
                if about.get("identity") != identity:
                    return
                tensors = {name: saved.get_tensor(name) for name in saved.keys()}  # noqa: SIM118
                step, seconds = int(about["step"]), float(about.get("seconds", 0))
        except (SafetensorError, OSError, KeyError, ValueError, AttributeError):
            return
        self.step, self.seconds = step, seconds
        self.model.load_state_dict(
            {name[6:]: value for name, value in tensors.items() if name.startswith("model.")}
        )
        for name, weight in self.model.named_parameters():
            if (saved_momentum := tensors.get(f"momentum.{name}")) is not None:
                # With the parameter's strides (channels last), which SGD's arithmetic relies on.
                momentum = torch.empty_like(weight)
                momentum.copy_(saved_momentum)
                self.optimiser.state[weight]["momentum_buffer"] = momentum
        self.generator.set_state(tensors["generator"])
        self.order.copy_(tensors["order"])
        self.learned.copy_(tensors["learned"])
