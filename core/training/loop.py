"""One training loop, a generator of progress: SGD with Nesterov momentum (and Muon for the kernels,
where the recipe says so) and a one-cycle or cosine learning rate, resumable after a kill at any
moment.

What short runs memorise, they memorise in the last epochs, which run without augmentation. Where
the recipe says so, the first epochs see the images smaller: what is learned first is coarse, and
half the side costs a quarter of the arithmetic (progressive resizing, Howard 2018, Fast.ai's entry
to DAWNBench).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from core.data.images import Images
from core.models.classifier import Classifier
from core.models.precision import precision, training_precision
from core.models.recipe import Recipe
from core.models.registry import build_model
from core.training.augmentation import augment, smaller
from core.training.optimisers import optimisers_of
from core.training.state import TrainingState


@dataclass(frozen=True)
class TrainingProgress:
    """One batch done. seconds: of training so far, with those of the processes that this one
    resumed, without those the caller spends in between. remaining: at this process's pace, None
    before its third step. accuracy: on the batches of this epoch so far, as augmented, 0 to 1.
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
    if model.INITIALISED_ON and start is None:
        sample = torch.randperm(len(images), generator=generator)[: model.INITIALISED_ON]
        model.initialise(images.batch(sample, device)[0])
    fixed = None if recipe.train_stem else model.initialised()
    optimisers = optimisers_of(model, recipe, fixed)
    mirrored = torch.zeros(0, dtype=torch.bool)
    if recipe.flip == "alternating":
        mirrored = torch.rand(len(images), generator=generator) < 0.5
    per_epoch = images.steps(recipe.batch_size)
    total = recipe.epochs * per_epoch
    full = images.images.shape[-1]
    sides = [recipe.side(epoch, full) for epoch in range(recipe.epochs)]
    work = np.repeat(np.square(sides, dtype=float), per_epoch)  # what a step costs goes with it
    order = torch.randperm(len(images), generator=generator)
    state = TrainingState(model, optimisers, generator, order, torch.zeros(len(images)))
    if state_file:
        state.restore(state_file, identity)
    resumed_at, before, saved = state.step, state.seconds, time.perf_counter()
    correct = seen = 0
    model.train()
    if fixed is not None:
        fixed.requires_grad_(False)  # its gradient would cost time and never be used
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
                flipped = mirrored[chosen] ^ bool(epoch % 2) if len(mirrored) else None
                x = augment(x, recipe.crop, generator, flipped)
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
                confidence = logits.float().softmax(1).gather(1, y[:, None])[:, 0].cpu()
                state.learned[chosen] += confidence / recipe.epochs
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
        if fixed is not None:
            fixed.requires_grad_(True)
    if state_file:
        state.save(state_file, identity)
    yield Trained(model.eval(), state.learned.numpy(), state.seconds)
    if state_file:
        state_file.unlink(missing_ok=True)


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
