"""Files that are damaged, or that somebody made up: one sentence, before any work."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core import __main__ as cli
from core import files
from core.checkpoints.memorisation import memorisation_file, memorisation_scores
from core.data.load import load_dataset
from core.data.names import is_class_name
from core.errors import CheckpointCorrupt, DataCorrupt
from core.models.recipe import Recipe
from core.models.registry import recipe_for
from tests.app.conftest import Open
from tests.hostile.conftest import PICTURE, Shell
from ui.services import images

UNLEARN = ("unlearn", "--dataset", "digits", "--forget", "random:0.1", "--method", "fine_tune")
MEMORISED = ("unlearn", "--dataset", "digits", "--forget", "memorised:5", "--method", "fine_tune")
RECIPE = "The recipe in the manifest"
MANIFEST = "The manifest of base.safetensors cannot be read"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the digits' model, as it ships, in a place where it may be damaged."""
    folder = tmp_path / "models" / "compact-digits"
    folder.mkdir(parents=True)
    for name in ("base.json", "base.safetensors"):
        shutil.copy(files.SHIPPED / "compact-digits" / name, folder)
    scores = memorisation_file(load_dataset("digits"), files.SHIPPED)
    (folder.parent / scores.parent.name).mkdir()
    shutil.copy(scores, folder.parent / scores.parent.name)
    for module in ("storage", "memorisation"):
        monkeypatch.setattr(f"core.checkpoints.{module}.SHIPPED", folder.parent)
    monkeypatch.setattr(cli, "SHIPPED", folder.parent)
    return folder


@pytest.fixture
def scores_file(models: Path) -> Path:
    """Where the digits' memorisation scores are, in that place."""
    return memorisation_file(load_dataset("digits"), models.parent)


def recipe(**changes: Any) -> dict[str, Any]:
    return {"recipe": recipe_for("compact", "digits").to_dict() | changes}


MANIFESTS: list[tuple[str, dict[str, Any], str]] = [
    ("recipe: an unknown field", recipe(colour="red"), RECIPE),
    ("recipe: a word for a number", recipe(epochs="many"), RECIPE),
    ("recipe: half an epoch", recipe(epochs=0.5), RECIPE),
    ("recipe: no batch", recipe(batch_size=0), RECIPE),
    ("recipe: true for a number", recipe(learning_rate=True), RECIPE),
    ("recipe: not finite", recipe(momentum=float("nan")), RECIPE),
    ("recipe: no such schedule", recipe(schedule="whenever"), RECIPE),
    ("recipe: no such optimiser", recipe(optimiser="adam"), RECIPE),
    ("recipe: one for yes", recipe(train_stem=1), RECIPE),
    ("recipe: a list for a word", recipe(flip=["random"]), RECIPE),
    ("recipe: no warmup", recipe(warmup=0), RECIPE),
    ("recipe: a list", {"recipe": [1, 2]}, RECIPE),
    ("recipe: a word", {"recipe": "fast"}, RECIPE),
    ("classes: none", {"classes": 0}, MANIFEST),
    ("classes: infinite", {"classes": float("inf")}, MANIFEST),
    ("classes: a list", {"classes": []}, MANIFEST),
    ("classes: too few", {"classes": 9}, "do not fit"),
    ("architecture: unknown", {"architecture": "vgg"}, MANIFEST),
    ("architecture: a list", {"architecture": []}, MANIFEST),
    ("fingerprint: a number", {"fingerprint": 1}, MANIFEST),
    ("fingerprint: another", {"fingerprint": "0" * 64}, "trained on other images"),
    ("sha256: another", {"sha256": "0" * 64}, "checksum is wrong"),
    ("order: a list", {"index_order": []}, MANIFEST),
    ("accuracy: a list", {"accuracy": [1]}, MANIFEST),
    ("accuracy: words", {"accuracy": {"test": "good"}}, MANIFEST),
]


@pytest.mark.parametrize(
    ("changes", "said"), [pytest.param(*row[1:], id=row[0]) for row in MANIFESTS]
)
def test_a_wrong_manifest_is_one_line(
    shell: Shell, models: Path, changes: dict[str, Any], said: str
) -> None:
    file = models / "base.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    code, line = shell(*UNLEARN)
    assert said in line
    assert code in (1, 2)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"[" * 3000, bytes(range(256))], ids=repr)
def test_a_manifest_that_is_none_is_one_line(shell: Shell, models: Path, content: bytes) -> None:
    (models / "base.json").write_bytes(content)
    for command in (UNLEARN, ("info",)):
        code, line = shell(*command)
        assert (code, MANIFEST in line) == (1, True)


SCORES: list[tuple[str, Any]] = [
    ("two numbers an image", np.zeros((897, 2), np.float16)),
    ("one number in all", np.float16(1)),
    ("words", np.full(897, "high")),
    ("not finite", np.full(897, np.nan, np.float16)),
    ("whole numbers", np.zeros(897, np.int64)),
]


@pytest.mark.parametrize("scores", [pytest.param(row[1], id=row[0]) for row in SCORES])
def test_wrong_memorisation_scores_are_one_sentence(
    shell: Shell, open_page: Open, scores_file: Path, scores: Any
) -> None:
    np.save(scores_file, scores)
    with pytest.raises(CheckpointCorrupt, match="memorisation scores"):
        memorisation_scores(load_dataset("digits"))
    assert "memorisation scores" in shell(*MEMORISED)[1]
    assert images.scores("digits") is None
    at = open_page("pages/1_Choose.py", data="digits", forget="memorised:5")
    assert "no memorisation scores" in at.error[0].value


def test_an_archive_of_scores_is_one_sentence(scores_file: Path) -> None:
    with scores_file.open("wb") as file:
        np.savez(file, a=np.zeros(897))
    with pytest.raises(CheckpointCorrupt):
        memorisation_scores(load_dataset("digits"))


@pytest.mark.parametrize("count", [0, 5, 896, 898])
def test_scores_of_another_number_of_images_are_one_sentence(
    shell: Shell, open_page: Open, scores_file: Path, count: int
) -> None:
    np.save(scores_file, np.zeros(count, np.float16))
    said = shell(*MEMORISED)[1]
    assert "no memorisation scores" in said
    at = open_page("pages/1_Choose.py", data="digits", forget="indices:1,2")
    at.selectbox(key="pick-class").select("3").run()
    assert not at.exception
    assert not at.error


NAMES: list[tuple[str, str]] = [
    ("a picture", "![x](x)"),
    ("a tag", "<b>"),
    ("a formula", "$x$"),
    ("61 letters", "a" * 61),
    ("reversed text", "\u202ea"),
    ("a colon", "a:b"),
]


@pytest.mark.parametrize("name", [pytest.param(row[1], id=row[0]) for row in NAMES])
def test_a_class_that_cannot_be_named_so_is_one_line(
    shell: Shell, tmp_path: Path, name: str
) -> None:
    for half in ("train", "test"):
        (tmp_path / half / name).mkdir(parents=True)
        picture = Image.fromarray(np.zeros((32, 32, 3), np.uint8))
        picture.save(tmp_path / half / name / "1.png")
    with pytest.raises(DataCorrupt, match="has a class named"):
        load_dataset("own", tmp_path)
    assert "has a class named" in shell("train", "--dataset", "own", "--data", tmp_path)[1]


def test_usual_class_names_pass() -> None:
    for name in ("cat", "T - shirt / top", "Saint Bernard, St. Bernard", "maple_tree", "0",
                 "Ölbaum", "हाथी", "象", "black-and-tan (coonhound)", "O'Hara", "R&B"):  # fmt: skip
        assert is_class_name(name), name
    for name in ("", " a", "a  b", "a\nb", PICTURE, "\0", "a" * 61):
        assert not is_class_name(name), name


def test_recipes_come_back() -> None:
    for kept in (Recipe(), recipe_for("resnet18", "cifar10"), Recipe(schedule="cosine"),
                 Recipe(optimiser="muon", train_stem=False, flip="alternating")):  # fmt: skip
        assert Recipe.from_dict(json.loads(json.dumps(kept.to_dict()))) == kept
