"""SISA training: sharded, isolated, sliced, aggregated (Bourtoule et al., IEEE S&P 2021, arXiv
1912.03817). Unlearning is built in: each image is in one shard, which alone has to forget it.

A seed puts each training image into one of S shards, and there into one of R slices. Shard s has a
network of its own, M_s0 at first; M_sr goes on from M_s,r-1 with training on the images of slices
1 to r, for e_r = 2 e / (R + 1) passes (section V), which for slices of one size is as much work as
e passes over the shard at once. The ensemble is M_1R .. M_SR; see `core.models.sisa`.

The state after a slice is its weights: every slice starts its own optimiser and draws from its own
generator, fixed by seed, shard and slice. A state's name (`Shard.keys`) is a digest of all that
made it, the images of its slices included. So a state is clean of the images to forget just if its
name comes up again when the images to keep are dealt out: unlearning is resuming with fewer images.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from core.data.images import Images
from core.errors import BadRequest
from core.models.classifier import Classifier
from core.models.recipe import Recipe
from core.models.registry import build_model
from core.models.sisa import Sisa
from core.training.loop import Trained, TrainingProgress, train
from core.training.shard_states import Find, State, read_state, write_state

SLICES = 2


@dataclass(frozen=True)
class Shard:
    """parts[r]: the images of slices 0 .. r, slice by slice. keys[r]: the name of the state after
    slice r: a digest of all that makes it."""

    number: int
    parts: tuple[Images, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True)
class TrainedShards(Trained):
    """The last item of `train_sisa`. states: by name, what unlearning can go on from: of every
    slice but the last. members: the names of the members' own states, those after the last one."""

    states: dict[str, State]
    members: tuple[str, ...]


@dataclass(frozen=True)
class Stored:
    """What is stored of a trained ensemble: its seed and its states."""

    seed: int
    find: Find


def assign(images: int, seed: int) -> Tensor:
    """int64 (images,): the shard and slice of each, as shard * SLICES + slice. Shards and slices of
    one size, up to one image. What is to be forgotten plays no part in it."""
    order = torch.randperm(images, generator=torch.Generator().manual_seed(_seed(seed, "assign")))
    assigned = torch.empty_like(order)
    assigned[order] = torch.arange(images) * (Sisa.SHARDS * SLICES) // images
    return assigned


def shards_of(images: Images, recipe: Recipe, seed: int, classes: int) -> list[Shard]:
    """Some of the training images, dealt out. Raises BadRequest where a shard gets none."""
    assigned = assign(len(images.labels), seed)[images.indices]
    identity = [_per_slice(recipe).to_dict(), seed, classes, Sisa.SHARDS, Sisa.NARROWER, SLICES]
    shards = []
    for number in range(Sisa.SHARDS):
        digest = hashlib.sha256(json.dumps([*identity, number], sort_keys=True).encode())
        so_far, parts, keys = images.indices[:0], [], []
        for part in range(number * SLICES, (number + 1) * SLICES):
            chosen = images.indices[assigned == part]
            digest.update(len(chosen).to_bytes(8, "little") + chosen.numpy().tobytes())
            so_far = torch.cat([so_far, chosen])
            parts.append(dataclasses.replace(images, indices=so_far))
            keys.append(digest.hexdigest()[:16])
        if not len(so_far):
            raise BadRequest(
                f"Shard {number + 1} of the ensemble would have no image left to learn from.",
                "Choose fewer images to forget.",
            )
        shards.append(Shard(number, tuple(parts), tuple(keys)))
    return shards


def train_shards(
    model: Sisa,
    shards: list[Shard],
    recipe: Recipe,
    seed: int,
    find: Find,
    keep: Callable[[str, State], None] = lambda key, state: None,
) -> Iterator[TrainingProgress]:
    """Trains the slices that have no state yet, in place; yields after each batch, counting
    only theirs.

    First every member goes back to its last state that `find` knows, or to new weights: a training
    that is broken off then leaves no member that knows more than it should. keep: gets each new
    state and its name.
    """
    members = [cast(Classifier, member) for member in model.members]
    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(_seed(seed, "weights"))
    initial = build_model("sisa", members[0].head.out_features, generator, device)
    recipe = _per_slice(recipe)
    states, work = [], []
    for shard, member, fresh in zip(shards, members, cast(Sisa, initial).members, strict=True):
        done, state = _last_state(shard, find)
        member.load_state_dict(state.weights if state else fresh.state_dict())
        states.append(state or State({}))
        work += [(shard, r) for r in range(done, SLICES) if len(shard.parts[r])]
    total = sum(recipe.epochs * shard.parts[r].steps(recipe.batch_size) for shard, r in work)
    before, started = 0, time.perf_counter()
    for shard, r in work:
        member, part, state = members[shard.number], shard.parts[r], states[shard.number]
        if r == 0 or not len(shard.parts[r - 1]):
            sample = torch.arange(min(len(part), member.INITIALISED_ON))
            member.initialise(part.batch(sample, device)[0])
        slice_seed = _seed(seed, shard.number, r)
        for item in train("sisa", part, recipe, slice_seed, device=device, start=member):
            if isinstance(item, TrainingProgress):
                step, seconds = before + item.step, time.perf_counter() - started
                yield dataclasses.replace(
                    item,
                    step=step,
                    total_steps=total,
                    seconds=seconds,
                    remaining=seconds / step * (total - step) if step >= 3 else None,
                )
                continue
            weights = {name: value.clone() for name, value in member.state_dict().items()}
            newly_learned = torch.from_numpy(item.learned)[len(state.learned) :]
            learned = torch.cat([state.learned, newly_learned])
            states[shard.number] = State(weights, learned, state.seconds + item.seconds)
            keep(shard.keys[r], states[shard.number])
        before += recipe.epochs * part.steps(recipe.batch_size)
    model.eval()


def train_sisa(
    images: Images,
    recipe: Recipe,
    seed: int,
    *,
    classes: int = 10,
    device: torch.device | str = "cpu",
    folder: Path,
) -> Iterator[TrainingProgress | TrainedShards]:
    """Trains a new ensemble on `images`; yields after each batch, `TrainedShards` last.

    recipe: of one network on all of the images, whose passes are shared out over the slices.
    folder: where the states are kept meanwhile; a later call with the same arguments goes on after
    the last slice that was done and ends bit-equal to an unbroken one (same machine, versions and
    thread count). Once `TrainedShards` was yielded it is removed when the caller asks on. It is for
    one data set alone: the names of states tell images apart by index, not by pixels.
    """
    model = build_model("sisa", classes, torch.Generator().manual_seed(seed), device)
    shards = shards_of(images, recipe, seed, classes)
    folder.mkdir(parents=True, exist_ok=True)
    find, keep = functools.partial(read_state, folder), functools.partial(write_state, folder)
    yield from train_shards(cast(Sisa, model), shards, recipe, seed, find, keep)
    states = {key: state for shard in shards for key in shard.keys if (state := find(key))}
    last = [states.pop(shard.keys[-1]) for shard in shards]
    learned = torch.zeros(len(images.labels))
    for shard, state in zip(shards, last, strict=True):
        learned[shard.parts[-1].indices] = state.learned
    yield TrainedShards(
        model.eval(),
        learned[images.indices].numpy(),
        sum(state.seconds for state in last),
        states,
        tuple(shard.keys[-1] for shard in shards),
    )
    shutil.rmtree(folder, ignore_errors=True)


def _per_slice(recipe: Recipe) -> Recipe:
    """The recipe of one slice: 2 e / (R + 1) passes, rounded, the same share of them clean."""
    share = 2 / (SLICES + 1)
    epochs = max(1, round(share * recipe.epochs))
    return dataclasses.replace(
        recipe, epochs=epochs, clean_epochs=min(epochs, round(share * recipe.clean_epochs))
    )


def _last_state(shard: Shard, find: Find) -> tuple[int, State | None]:
    """How many slices are done without a gap, and the state after them."""
    done, last = 0, None
    for r, key in enumerate(shard.keys):
        if len(shard.parts[r]):  # before the first image there is nothing to keep
            if not (state := find(key)):
                break
            done, last = r + 1, state
    return done, last


def _seed(seed: int, *purpose: object) -> int:
    """The seed for one purpose."""
    key = "/".join(map(str, (seed, *purpose))).encode()
    return int.from_bytes(hashlib.sha256(key).digest()[:8], "little") >> 1
