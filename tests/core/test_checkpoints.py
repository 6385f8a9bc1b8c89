"""Weights come back bit for bit, or one clear sentence says why not; nothing is ever unpickled."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from core.checkpoints import memorisation
from core.checkpoints.outside import load_file_as
from core.checkpoints.storage import Checkpoint, find, find_in, load_model, save, save_weights
from core.errors import BadRequest, CheckpointCorrupt, CheckpointMissing
from core.models.registry import build_model
from tests import tiny

pytestmark = pytest.mark.usefixtures("small_compact")

MANIFEST = {"architecture": "compact", "classes": 10, "fingerprint": "f" * 64, "dataset": "tiny"}


def network(seed: int = 0, architecture: str = "compact"):
    return build_model(architecture, 10, torch.Generator().manual_seed(seed)).eval()


@pytest.fixture
def kept(own_models: Path) -> Checkpoint:
    return save(network(), own_models / "compact-tiny", "base", MANIFEST)


def resealed(kept: Checkpoint, content: bytes, **changes: object) -> Checkpoint:
    """The same checkpoint with other bytes and a checksum that fits them."""
    kept.weights.write_bytes(content)
    full = {**kept.manifest, "sha256": hashlib.sha256(content).hexdigest(), **changes}
    kept.weights.with_suffix(".json").write_text(json.dumps(full))
    return find("compact", "tiny")


def assert_one_sentence(error: CheckpointCorrupt, name: str) -> None:
    assert name in error.message
    assert "\n" not in str(error)
    assert error.message.endswith(".")
    assert error.hint


def test_round_trip_is_bit_for_bit(kept: Checkpoint) -> None:
    loaded = load_model("compact", "tiny")
    assert not loaded.training
    assert tiny.same(loaded, network())
    assert find("compact", "tiny").manifest == kept.manifest
    assert kept.manifest["role"] == "base"
    assert kept.sha256 == hashlib.sha256(kept.weights.read_bytes()).hexdigest()
    files = {file.name for file in kept.weights.parent.iterdir()}
    assert files == {"base.safetensors", "base.json"}


def test_shipped_weights_come_first(kept: Checkpoint, own_models: Path) -> None:
    shipped = own_models.parents[1] / "shipped"
    save(network(1), shipped / "compact-tiny", "base", MANIFEST)
    assert tiny.same(load_model("compact", "tiny"), network(1))


def test_what_is_not_there(own_models: Path) -> None:
    with pytest.raises(CheckpointMissing, match=r"no base model of compact for tiny.*core train"):
        load_model("compact", "tiny")
    with pytest.raises(BadRequest, match="no model 'vgg'"):
        load_model("vgg", "tiny")
    with pytest.raises(CheckpointMissing):
        load_file_as("compact", own_models / "nothing.pth")


@pytest.mark.parametrize("damage", ["truncated", "empty", "flipped", "gone"])
def test_damaged_weights(kept: Checkpoint, damage: str) -> None:
    content = bytearray(kept.weights.read_bytes())
    if damage == "gone":
        kept.weights.unlink()
    else:
        flipped = bytes([*content[:-40], content[-40] ^ 1, *content[-39:]])
        changed = {"truncated": bytes(content[:-100]), "empty": b"", "flipped": flipped}
        kept.weights.write_bytes(changed[damage])
    with pytest.raises(CheckpointCorrupt) as caught:
        load_model("compact", "tiny")
    assert_one_sentence(caught.value, "base.safetensors")
    assert "train again" in caught.value.hint


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "huge header"])
def test_what_is_not_safetensors_with_a_checksum_that_fits(kept: Checkpoint, damage: str) -> None:
    content = kept.weights.read_bytes()
    changed = {
        "truncated": content[:-100],
        "empty": b"",
        "text": b"These are no weights.",
        "huge header": b"\xff" * 7 + b"\x00" + content[8:],
    }[damage]
    with pytest.raises(CheckpointCorrupt) as caught:
        resealed(kept, changed).load()
    assert_one_sentence(caught.value, "base.safetensors")


@pytest.mark.parametrize("changes", [{"architecture": "resnet18"}, {"classes": 7}])
def test_weights_of_another_architecture(kept: Checkpoint, changes: dict) -> None:
    with pytest.raises(CheckpointCorrupt, match=r"do not fit this architecture\. They must be"):
        resealed(kept, kept.weights.read_bytes(), **changes).load()


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", "3", "{}", "[" * 100_000, "\udce4",
        json.dumps({**MANIFEST, "sha256": None}),
        json.dumps({**MANIFEST, "sha256": "0" * 64, "classes": "many"}),
        json.dumps({**MANIFEST, "sha256": "0" * 64, "classes": -1}),
        json.dumps({**MANIFEST, "sha256": "0" * 64, "classes": 1e999}),
        json.dumps({**MANIFEST, "sha256": "0" * 64, "architecture": "vgg"}),
        json.dumps({**MANIFEST, "sha256": "0" * 64, "fingerprint": 5}),
    ],
)  # fmt: skip
def test_a_manifest_of_garbage(kept: Checkpoint, text: str) -> None:
    content = text.encode("utf-8", "surrogateescape")
    kept.weights.with_suffix(".json").write_bytes(content)
    with pytest.raises(CheckpointCorrupt, match="manifest") as caught:
        find("compact", "tiny")
    assert_one_sentence(caught.value, "base.safetensors")


@pytest.mark.parametrize("writes", [0, 1])
@pytest.mark.parametrize("older", [False, True])
def test_a_kill_between_the_writes(
    own_models: Path, monkeypatch: pytest.MonkeyPatch, writes: int, older: bool
) -> None:
    """Stopped at each of the renames of `save`: what is found afterwards is whole, or nothing."""
    folder = own_models / "compact-tiny"
    if older:
        save(network(), folder, "base", MANIFEST)
    replace, done = os.replace, []

    def dies(*arguments):
        if len(done) == writes:
            raise KeyboardInterrupt
        done.append(replace(*arguments))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", dies)
        with pytest.raises(KeyboardInterrupt):
            save(network(1), folder, "base", MANIFEST)
    found = find_in(folder, "base")
    assert found is None or tiny.same(found.load(), network())
    save(network(1), folder, "base", MANIFEST)
    assert tiny.same(load_model("compact", "tiny"), network(1))


def test_failed_weights_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    target = tmp_path / "out.safetensors"
    target.write_bytes(b"older")
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        save_weights(network(), target)
    assert target.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [target]


# Weights from outside


def test_state_dicts_from_outside(tmp_path: Path) -> None:
    model = network()
    save_weights(model, tmp_path / "a.safetensors")
    torch.save(model.state_dict(), tmp_path / "b.pth")
    torch.save({"state_dict": model.state_dict(), "epoch": 3}, tmp_path / "c.pth")
    for name in ("a.safetensors", "b.pth", "c.pth"):
        loaded = load_file_as("compact", tmp_path / name)
        assert tiny.same(loaded, model)
        assert not loaded.training


class Hostile:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("how", ["pickle", "torch", "inside", "model"])
def test_a_hostile_pth_is_never_run(tmp_path: Path, how: str) -> None:
    mark, file = tmp_path / "mark", tmp_path / "weights.pth"
    if how == "pickle":
        file.write_bytes(pickle.dumps(Hostile(mark)))
    elif how == "torch":
        torch.save(Hostile(mark), file)
    elif how == "inside":
        torch.save({**network().state_dict(), "extra": Hostile(mark)}, file)
    else:
        torch.save(network(), file)  # a whole module needs code to be run
    with pytest.raises(CheckpointCorrupt) as caught:
        load_file_as("compact", file)
    assert_one_sentence(caught.value, "weights.pth")
    assert not mark.exists()
    if how != "model":  # the bait works
        with file.open("rb") as content:
            if how == "pickle":
                pickle.load(content)
            else:
                torch.load(content, weights_only=False)
        assert mark.exists()


@pytest.mark.parametrize(
    "content",
    [5, "text", [1, 2], torch.zeros(3), {"state_dict": 5}, {"state_dict": [1, 2]}, {1: 2},
     {"fc.weight": 3}, {"stem.weight": "text"}, {}],
)  # fmt: skip
@pytest.mark.parametrize("architecture", ["compact", "resnet18"])
def test_a_pth_that_holds_something_else(
    tmp_path: Path, content: object, architecture: str
) -> None:
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(CheckpointCorrupt) as caught:
        load_file_as(architecture, tmp_path / "weights.pth")
    assert_one_sentence(caught.value, "weights.pth")


def test_a_damaged_pth(tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    torch.save(network().state_dict(), file)
    content = file.read_bytes()
    draw = np.random.default_rng(0)
    damaged = [b"", b"text", content[:10], content[: len(content) // 2], content[:-30]]
    damaged += [draw.bytes(300) for _ in range(20)]
    for changed in damaged:
        file.write_bytes(changed)
        with pytest.raises(CheckpointCorrupt) as caught:
            load_file_as("compact", file)
        assert_one_sentence(caught.value, "weights.pth")


# Memorisation scores


def test_memorisation_scores(own_models: Path) -> None:
    data = tiny.dataset()
    assert memorisation.memorisation_scores(data) is None
    memorisation.save_memorisation(np.array([0, 0.75, 1], np.float32), data, own_models)
    scores = memorisation.memorisation_scores(data)
    assert scores is not None
    assert scores.tolist() == [0, 0.75, 1]
    file = memorisation.memorisation_file(data, own_models)
    assert list(file.parent.iterdir()) == [file]
    assert file.parent.name == "memorisation-v1"
    other = tiny.dataset(seed=1)
    assert memorisation.memorisation_scores(other) is None
    memorisation.save_memorisation(np.ones(3, np.float32), other, own_models)
    memorisation.save_memorisation(np.zeros(3, np.float32), data, own_models)
    assert memorisation.memorisation_scores(data).tolist() == [0, 0.75, 1]  # the first ones stay
    assert memorisation.memorisation_scores(other).tolist() == [1, 1, 1]
    assert memorisation.memorisation_scores(data, memorisation.LEAVE_OUT) is None
    pixels = [tiny.dataset(seed=seed, index_order="torchvision") for seed in (2, 3)]
    memorisation.save_memorisation(np.ones(3, np.float32), pixels[0], own_models)
    assert memorisation.memorisation_scores(pixels[1]) is not None
    for content in (b"", b"text", file.read_bytes()[:-2]):
        file.write_bytes(content)
        with pytest.raises(CheckpointCorrupt, match="scores"):
            memorisation.memorisation_scores(data)
    mark = own_models / "mark"
    np.save(file, np.array([Hostile(mark)], dtype=object), allow_pickle=True)
    with pytest.raises(CheckpointCorrupt, match="scores"):
        memorisation.memorisation_scores(data)
    assert not mark.exists()
