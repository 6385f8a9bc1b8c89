"""One training loop, a generator of progress: crop and flip on tensors, SGD with Nesterov momentum
(and Muon for the kernels, where the recipe says so) and a one-cycle or cosine learning rate,
resumable after a kill at any moment.

Where the recipe says so, the first epochs see the images smaller: what is learned first is coarse,
and half the side costs a quarter of the arithmetic (progressive resizing, Howard 2018, Fast.ai's
entry to DAWNBench).

What short runs memorise, they memorise in the last epochs, which run without augmentation.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from core.errors import BadRequest, CheckpointCorrupt, short
from core.models import (
    Classifier,
    Compact,
    build_model,
    check_architecture,
    precision,
    training_precision,
)
from core.muon import Muon
from core.subsets import Images


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    epochs: passes over the images. clean_epochs: how many of them, at the end, without crop and
    flip. learning_rate: the peak. schedule: "one_cycle" rises linearly over the first `warmup`
    share and falls linearly to 0; "cosine" falls from the peak.
    optimiser: "sgd" for all weights; "muon" moves the kernels with `core.muon`, at a peak of
    `kernel_rate`, and the rest with SGD. label_smoothing: until the clean epochs. train_stem:
    whether the whitening that `compact` starts with is trained on. flip: "random" mirrors each
    image half of the time; "alternating" every other epoch, from a random first one on.
    growing: during so many epochs at the start images are shown smaller, `first_side` pixels wide
    in the first.
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
    optimiser: Literal["sgd", "muon"] = "sgd"
    kernel_rate: float = 0.06
    kernel_momentum: float = 0.8
    label_smoothing: float = 0.0
    train_stem: bool = True
    flip: Literal["random", "alternating"] = "random"
    growing: int = 0
    first_side: int = 16

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready. What came later is left out where it has its default, so that what was named
        by its recipe before (manifests, states, shards) keeps its name."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in _LATER or getattr(self, field.name) != field.default
        }

    @classmethod
    def from_dict(cls, fields: Any) -> Recipe:
        """The inverse of `to_dict`. Raises CheckpointCorrupt: recipes stand in manifests."""
        try:
            found = cls(**fields)
            for field in dataclasses.fields(cls):
                if not _fits(getattr(found, field.name), field):
                    raise ValueError(field.name)
            possible = found.epochs and found.batch_size and found.first_side >= SMALLEST_SIDE
            if not (possible and 0 < found.warmup < 1):
                raise ValueError("nothing to train with")
        except (TypeError, ValueError) as error:
            raise CheckpointCorrupt(
                "The recipe in the manifest of the weights cannot be read.",
                "Restore the manifest, or train the model again: python -m core train",
            ) from error
        return found

    def course(self, step: int, total: int) -> float:
        """The learning rate of batch `step` of `total`, as a share of its peak, 0 to 1."""
        done = step / total
        if self.schedule == "cosine":
            return 0.5 * (1 + float(np.cos(np.pi * done)))
        return min(done / self.warmup, (1 - done) / (1 - self.warmup))

    def side(self, epoch: int, full: int) -> int:
        """Pixels of an image's side in an epoch, 0 the first; full: of the images as they are."""
        if epoch >= self.growing or self.first_side >= full:
            return full
        return self.first_side + 2 * ((full - self.first_side) * epoch // (2 * self.growing))


SMALLEST_SIDE = 9
"""Pixels that leave one after `compact`'s stem and pools."""
_LATER = (
    "optimiser",
    "kernel_rate",
    "kernel_momentum",
    "label_smoothing",
    "train_stem",
    "flip",
    "growing",
    "first_side",
)
"""Fields that the first recipes did not have."""


def _fits(value: Any, field: dataclasses.Field[Any]) -> bool:
    """Whether it can stand in that field of a recipe."""
    if isinstance(field.default, str):
        return value in get_args(get_type_hints(Recipe)[field.name])
    if isinstance(field.default, bool):
        return type(value) is bool
    whole = isinstance(field.default, int)
    return (type(value) is int or (type(value) is float and not whole)) and 0 <= value < 1e6


NAMED: dict[str, Recipe] = {
    "sgd": Recipe(),
    "muon": Recipe(
        epochs=7,
        clean_epochs=2,
        batch_size=500,
        learning_rate=0.1,
        warmup=0.15,
        optimiser="muon",
        kernel_rate=0.06,
        kernel_momentum=0.8,
        train_stem=False,
    ),
}
"""Recipes for `compact` on CIFAR-10 by name; `benchmarks.training` compares them."""

_DIGITS = Recipe(epochs=24, clean_epochs=24, batch_size=32, learning_rate=0.05)
RECIPES: dict[tuple[str, str], Recipe] = {
    ("compact", "cifar10"): NAMED["sgd"],
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


def recipe_named(name: str) -> Recipe:
    """One of `NAMED`. Raises BadRequest for another name."""
    if name not in NAMED:
        raise BadRequest(f"There is no recipe {short(name)}.", f"There are {' and '.join(NAMED)}.")
    return NAMED[name]


def recipe_of(manifest: Mapping[str, Any], dataset: str) -> Recipe:
    """What a checkpoint of this manifest was trained with; the usual one where it does not say.
    Raises CheckpointCorrupt."""
    kept = manifest.get("recipe")
    return Recipe.from_dict(kept) if kept else recipe_for(str(manifest["architecture"]), dataset)


@dataclass(frozen=True)
class TrainingProgress:
    """One batch done. seconds: of training so far, those of earlier processes that this one went on
    from included, those of the caller's in between left out. remaining: at this process's pace,
    None before its third step. accuracy: on the batches of this epoch so far, as augmented, 0 to 1.
    """

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
    seconds: as in `TrainingProgress`."""

    model: Classifier
    learned: NDArray[np.float32]
    seconds: float


def augment(
    images: Tensor, crop: int, generator: torch.Generator, mirrored: Tensor | None = None
) -> Tensor:
    """Random shift by up to `crop` pixels (reflected at the border) and random mirroring.

    images: uint8 (n, 3, s, s), n >= 1; the result has the same shape. mirrored: bool (n,), which of
    them to mirror, in place of chance. Draws on the CPU, so that a seed gives the same images on
    every device.
    """
    n, _, size, _ = images.shape
    top, left = torch.randint(2 * crop + 1, (2, n, 1), generator=generator)
    if mirrored is None:
        mirrored = torch.rand(n, generator=generator) < 0.5
    mirrored = mirrored[:, None]
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


def smaller(images: Tensor, side: int) -> Tensor:
    """Images (n, 3, s, s) as float (n, 3, side, side), each pixel a mean of those it covers: two
    matrix products, so that every device gives the same."""
    each_row = torch.eye(images.shape[-1])[None, None]
    size = (side, images.shape[-1])
    weights = F.interpolate(each_row, size, mode="bilinear", antialias=True)[0, 0].to(images.device)
    return weights @ images.float() @ weights.T


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
    stem = model.stem.weight if isinstance(model, Compact) and not recipe.train_stem else None
    optimisers = _optimisers(model, recipe, stem)
    mirrored = torch.zeros(0, dtype=torch.bool)
    if recipe.flip == "alternating":
        mirrored = torch.rand(len(images), generator=generator) < 0.5
    per_epoch = images.steps(recipe.batch_size)
    total = recipe.epochs * per_epoch
    full = images.images.shape[-1]
    sides = [recipe.side(epoch, full) for epoch in range(recipe.epochs)]
    work = np.repeat(np.square(sides, dtype=float), per_epoch)  # what a step costs goes with it
    order = torch.randperm(len(images), generator=generator)
    state = _State(model, optimisers, generator, order, torch.zeros(len(images)))
    if state_file:
        state.restore(state_file, identity)
    resumed_at, before, saved = state.step, state.seconds, time.perf_counter()
    correct = seen = 0
    model.train()
    if stem is not None:
        stem.requires_grad_(False)  # its gradient would cost time and never be used
    try:
        while state.step < total:
            started = time.perf_counter()
            epoch, position = divmod(state.step, per_epoch)
            if position == 0:
                correct = seen = 0
                if state.step:
                    order.copy_(torch.randperm(len(images), generator=generator))
            chosen = order[position * recipe.batch_size : (position + 1) * recipe.batch_size]
            x, y = images.batch(chosen, device)
            clean = epoch >= recipe.epochs - recipe.clean_epochs
            if not clean:
                turned = mirrored[chosen] ^ bool(epoch % 2) if len(mirrored) else None
                x = augment(x, recipe.crop, generator, turned)
            if sides[epoch] < full:
                x = smaller(x, sides[epoch])
            for optimiser in optimisers:
                for group in optimiser.param_groups:
                    group["lr"] = group["peak"] * recipe.course(state.step, total)
            with training_precision(device):
                logits = model(x)
            smoothing = 0.0 if clean else recipe.label_smoothing
            loss = F.cross_entropy(logits.float(), y, label_smoothing=smoothing)
            model.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            for optimiser in optimisers:
                optimiser.step()
            with torch.no_grad():
                right = logits.float().softmax(1).gather(1, y[:, None])[:, 0].cpu()
                state.learned[chosen] += right / recipe.epochs
                correct += int((logits.argmax(1) == y).sum())
                seen += len(y)
            state.step += 1
            now = time.perf_counter()
            state.seconds += now - started
            if state_file and now - saved > save_every:
                state.save(state_file, identity)
                saved = now
            done, left = work[resumed_at : state.step], work[state.step :]
            pace = (state.seconds - before) / done.sum()
            yield TrainingProgress(
                state.step,
                total,
                epoch,
                float(loss.detach()),
                correct / seen,
                state.seconds,
                float(pace * left.sum()) if len(done) >= 3 else None,
                resumed_at,
            )
    except GeneratorExit:
        if state_file:
            state.save(state_file, identity)
        raise
    finally:
        if stem is not None:
            stem.requires_grad_(True)
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
    trainable = [p for p in model.parameters() if p.requires_grad]
    return sgd(trainable, learning_rate, momentum, weight_decay)


def sgd(
    parameters: Sequence[nn.Parameter], learning_rate: float, momentum: float, weight_decay: float
) -> torch.optim.SGD:
    """The same for some weights, at least one."""
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
        fused=parameters[0].is_cuda,
    )


def _optimisers(
    model: Classifier, recipe: Recipe, frozen: Tensor | None
) -> list[torch.optim.Optimizer]:
    """What moves each weight; every group says its `peak` rate. frozen: a weight that stays."""
    found: list[torch.optim.Optimizer] = []
    rest = [weight for weight in model.parameters() if weight is not frozen]
    if recipe.optimiser == "muon":
        kernels = [weight for weight in rest if weight.ndim == 4]
        rest = [weight for weight in rest if weight.ndim != 4]
        found.append(Muon(kernels, recipe.kernel_rate, recipe.kernel_momentum))
    found.append(sgd(rest, recipe.learning_rate, recipe.momentum, recipe.weight_decay))
    for optimiser in found:
        for group in optimiser.param_groups:
            group["peak"] = group["lr"]
    return found


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
