"""The site of the results that ship: whole in itself, written all or not at all."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest

from core.data.request_text import parse_request
from core.errors import BadRequest, LabError
from core.files import SHIPPED
from core.runs.plan import Plan
from core.runs.run_files import run_to_files
from core.runs.shell.command import command_of
from tests.app import fakes
from ui import report, site
from ui.wording import verdicts


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    runs = tmp_path / "shipped" / "runs"
    for run in (fakes.run("one"), fakes.class_run("two", "cifar10")):
        run_to_files(run, runs)
    (runs.parent / "methods.json").write_text((SHIPPED / "methods.json").read_text())
    return runs.parent


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_run_has_its_pages_and_nothing_comes_from_elsewhere(
    shipped: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "site"
    assert site.export_site(folder, shipped) == 2
    ends = (".html", "-metrics.csv", "-plan.json")
    assert set(contents(folder)) == {
        "index.html",
        *(f"{i}{e}" for i in ("one", "two") for e in ends),
    }
    index = (folder / "index.html").read_text()
    for run in (fakes.run("one"), fakes.class_run("two", "cifar10")):
        assert html.escape(verdicts.headline(run)) in index
        assert Plan.from_dict(json.loads((folder / f"{run.id}-plan.json").read_text())) == run.plan
    for page in folder.glob("*.html"):
        text = page.read_text()
        assert text.count("<svg") == 3 * (2 if page.stem == "index" else 1)
        loaded = re.findall(r"""(?:src|href)=["']?([^"'> ]+)|url\(([^)]+)\)""", text)
        targets = {a or b for a, b in loaded if not (a or b).startswith("#")}
        assert all((folder / target).is_file() for target in targets), targets
        assert "<script" not in text
    assert "Faded teacher" in index


def test_it_replaces_a_site_of_before_and_nothing_else(shipped: Path, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    site.export_site(folder, shipped)
    (shipped / "runs" / "one.json").unlink()
    assert site.export_site(folder, shipped) == 1
    assert "one.html" not in contents(folder)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "index.html").write_text("<p>my own page</p>")
    with pytest.raises(BadRequest, match="something else"):
        site.export_site(mine, shipped)
    assert contents(mine) == {"index.html": b"<p>my own page</p>"}
    assert site.main([]) == site.main([str(mine)]) == 2


def test_what_cannot_be_written_leaves_the_site_of_before(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site"
    site.export_site(folder, shipped)
    before = contents(folder)

    def full(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report, "plan_json", full)
    with pytest.raises(LabError, match="No space left"):
        site.export_site(folder, shipped)
    assert contents(folder) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shipped", "site"]


@pytest.mark.parametrize(
    "text", ["random:0.1", "random:500", "class:cat,dog", "class:cat:0.5", "memorised-v2:500",
             "memorised:9", "fold:3"]
)  # fmt: skip
def test_the_command_repeats_the_plan(text: str) -> None:
    request = parse_request(text, 7)
    said = command_of(Plan("resnet18", "digits", request, "scrub", {"epochs": 0.5}, 3))
    words = said.split()
    assert words[:4] == ["python", "-m", "core", "unlearn"]
    options = dict(zip(words[4::2], words[5::2], strict=True))
    seed = int(options.pop("--forget-seed", 0))
    assert parse_request(options.pop("--forget"), seed) == request
    assert options == {
        "--dataset": "digits", "--model": "resnet18", "--method": "scrub",
        "--set": "epochs=0.5", "--seed": "3",
    }  # fmt: skip
    brought = Plan("compact", "digits", request, "brought", {"weights": "a" * 64})
    assert command_of(brought).startswith("python -m core judge --weights FILE")
