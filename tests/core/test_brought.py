"""Weights from outside are judged like those that a method leaves."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from core import __main__ as cli
from core.checkpoints import storage
from core.checkpoints.references import train_model
from core.checkpoints.storage import Checkpoint
from core.data.requests import ForgetRequest
from core.errors import BadRequest, CheckpointCorrupt, CheckpointMissing
from core.runs import brought
from core.runs.plan import Plan
from core.runs.run import Run
from core.runs.task import prepare
from core.runs.verdicts import verdict_of
from tests import tiny

pytestmark = pytest.mark.usefixtures("small_compact")

DATA = tiny.dataset()
REQUEST = ForgetRequest.random(16)


@pytest.fixture
def base(own_models: Path) -> Checkpoint:
    train(None)
    return train(REQUEST)


def train(without: ForgetRequest | None, **options) -> Checkpoint:
    *_, kept = train_model("compact", DATA, tiny.SHORT, without=without, **options)
    assert isinstance(kept, Checkpoint)
    return kept


def judged(name: str) -> Run:
    plan = Plan("compact", "tiny", REQUEST, brought.NAME, {"weights": name})
    *_, run = prepare(plan, dataset=DATA, device="cpu").run()
    assert isinstance(run, Run)
    return run


def test_the_original_and_another_retraining(base: Checkpoint, tmp_path: Path) -> None:
    """Brought back as they are, the weights get the numbers that their models have anyway."""
    original, ideal = tmp_path / "original.safetensors", tmp_path / "ideal.pth"
    state = storage.find("compact", "tiny").load().state_dict()
    save_file({name: value.contiguous() for name, value in state.items()}, original)
    torch.save(train(REQUEST, seed=2).load().state_dict(), ideal)
    own, other = judged(brought.keep(original)), judged(brought.keep(ideal))
    assert own.before is not None
    assert own.retrained is not None
    assert own.after is not None
    mine, known = own.after.forget_losses, own.before.forget_losses
    np.testing.assert_allclose(mine, known, rtol=1e-4, atol=1e-5)
    assert not np.allclose(mine, own.retrained.forget_losses, rtol=1e-4, atol=1e-5)
    assert own.settings == {"weights": brought.keep(original)}
    assert own.status == other.status == "finished"
    assert verdict_of(other) is not None
    assert other.after is not None
    assert other.after.value("js_forget") > 0


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("weights.zip", BadRequest, "no file of weights"),
        ("nothing.pth", CheckpointMissing, "There is no file"),
    ],
)
def test_what_is_no_file_of_weights(
    own_models: Path, tmp_path: Path, name: str, error: type[Exception], said: str
) -> None:
    (tmp_path / "weights.zip").write_bytes(b"PK")
    with pytest.raises(error, match=said):
        brought.keep(tmp_path / name)


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "a.pth", "0" * 64 + ".zip", 3])
def test_a_plan_names_no_file_of_its_own_choice(base: Checkpoint, name: object) -> None:
    plan = Plan("compact", "tiny", REQUEST, brought.NAME, {"weights": name})  # type: ignore[dict-item]
    with pytest.raises(BadRequest, match="names no weights"):
        prepare(plan, dataset=DATA)


def test_weights_that_are_gone_or_do_not_fit(base: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(CheckpointMissing, match="are not on this machine"):
        judged("0" * 64 + ".pth")
    wrong, broken = tmp_path / "wrong.safetensors", tmp_path / "broken.pth"
    save_file({"head.weight": torch.zeros(3, 3)}, wrong)
    broken.write_bytes(b"no state dict")
    for file in (wrong, broken):
        with pytest.raises(CheckpointCorrupt):
            judged(brought.keep(file))


def test_old_files_make_room(
    own_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brought, "KEPT", 2)
    names = []
    for i in range(4):
        file = tmp_path / f"{i}.pth"
        file.write_bytes(bytes([i]))
        names.append(brought.keep(file))
    left = {path.name for path in brought._folder().iterdir()}
    assert len(left & set(names)) == 2
    assert names[-1] in left


def test_the_shell_judges(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The digits' own base, which forgot nothing, and a verdict in the JSON."""
    from core.models.compact import Compact

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Compact, "WIDTHS", (64, 192, 256))
        patch.setenv("FORGETTING_LAB_CACHE", str(tmp_path / "cache"))
        weights = Path("models_cache/compact-digits/base.safetensors").absolute()
        code = cli.main(
            ["judge", "--weights", str(weights), "--dataset", "digits", "--forget", "random:0.1",
             "--json", "-"]
        )  # fmt: skip
    assert code == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["verdict"]) == {
        "word", "share", "betrayed_by", "damaged", "missing", "signals",
    }  # fmt: skip
    assert found["verdict"]["word"] == "not forgotten"
    kinds = {signal["kind"] for signal in found["verdict"]["signals"]}
    assert kinds == {"answers", "outputs", "inside", "damage"}
    assert re.fullmatch(r"[0-9a-f]{64}\.safetensors", found["settings"]["weights"])
