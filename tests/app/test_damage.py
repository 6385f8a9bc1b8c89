"""Damaged files: one clear sentence on screen, and a way on."""

from __future__ import annotations

from pathlib import Path

import pytest

import core.runs.queue
from core.errors import CheckpointCorrupt, DataCorrupt, StoreUnavailable
from core.files import cache_folder
from tests.app import fakes
from tests.app.conftest import Open
from tests.app.test_front import texts
from ui.services import images, jobs, runs

PAGES = (
    "app.py",
    "pages/1_Choose.py",
    "pages/2_Unlearn.py",
    "pages/6_Compare.py",
    "pages/7_Methods.py",
    "pages/3_Inside.py",
    "pages/10_Graphs.py",
)


@pytest.mark.parametrize("page", PAGES)
def test_a_damaged_database_can_be_set_aside(open_page: Open, keep, page: str) -> None:
    keep(fakes.run("kept"))
    file = cache_folder() / "runs.sqlite"
    for beside in file.parent.glob("runs.sqlite-*"):
        beside.unlink()
    file.write_bytes(b"this is no database, but it is long enough to be read as one" * 200)
    at = open_page(page)
    assert len(at.error) == 1
    assert "is damaged" in at.error[0].value
    assert "nothing is deleted" in at.error[0].value
    at.button(key="set-aside").click().run()
    assert not at.exception
    assert not at.error
    assert list(file.parent.glob("runs.sqlite.broken-*"))
    assert runs.load("kept", "").after is not None


@pytest.mark.parametrize("page", PAGES)
def test_a_stranger_cannot_set_the_database_aside(open_page: Open, monkeypatch, page: str) -> None:
    monkeypatch.setenv("FORGETTING_LAB_HOSTED", "1")
    file = cache_folder() / "runs.sqlite"
    file.write_bytes(b"this is no database, but it is long enough to be read as one" * 200)
    at = open_page(page)
    assert "set-aside" not in {b.key for b in at.button}
    assert "is damaged" in at.error[0].value
    assert str(file.parent) not in at.error[0].value
    assert "python -m core repair" in texts(at)


def test_a_database_that_is_gone_is_said_and_made_again(open_page: Open, keep) -> None:
    keep(fakes.run("kept"))
    for part in cache_folder().glob("runs.sqlite*"):
        part.unlink()
    at = open_page("pages/6_Compare.py")
    assert "its file is gone" in at.error[0].value
    at.button(key="set-aside").click().run()
    assert not at.exception
    assert runs.load("kept", "").after is not None


def test_a_database_that_cannot_be_used_now_is_not_set_aside(open_page: Open, monkeypatch) -> None:
    def refuse(store: object, **_: object) -> None:
        raise StoreUnavailable("The database of finished runs cannot be used now: locked.")

    monkeypatch.setattr(core.runs.queue, "JobQueue", refuse)
    at = open_page()
    assert "cannot be used now" in at.error[0].value
    assert [b.key for b in at.button] == ["try-again"]


@pytest.mark.parametrize("page", ["pages/1_Choose.py", "pages/2_Unlearn.py"])
@pytest.mark.parametrize("kind", ["parquet", "decoded cache"])
def test_damaged_images_leave_the_digits(
    open_page: Open, monkeypatch, tmp_path: Path, page: str, kind: str
) -> None:
    if kind == "parquet":
        folder = tmp_path / "images"
        folder.mkdir()
        for part in ("train", "test"):
            (folder / f"{part}-00000-of-00001.parquet").write_bytes(b"PAR1" + bytes(100))
        monkeypatch.setenv("FORGETTING_LAB_DATA", str(folder))
    else:

        def broken(name: str) -> None:
            raise DataCorrupt("The decoded images are damaged.", "Delete them to decode them anew.")

        monkeypatch.setattr(images, "available", lambda name: True)
        real = images.dataset
        monkeypatch.setattr(images, "dataset", lambda n: real(n) if n == "digits" else broken(n))
    at = open_page(page, data="cifar10", forget="random:0.1")
    assert len(at.error) == 1
    assert not at.exception
    at.button(key="use-digits").click().run()
    assert not at.exception
    assert not at.error
    assert at.session_state["draft"].dataset == "digits"


def test_a_damaged_checkpoint_fails_the_run_with_its_sentence(open_page: Open, runner) -> None:
    runner.hold = -1
    runner.fail = CheckpointCorrupt("The weights of compact cannot be read.", "Train them again.")
    at = open_page("pages/2_Unlearn.py", data="digits", forget="random:0.1")
    at.button(key="start").click().run()
    assert jobs.queue().join(10)
    at.run()
    assert at.error[0].value == "The weights of compact cannot be read. Train them again."
    assert at.button(key="set-up-again")


def test_lost_losses_of_a_run_are_said(open_page: Open, keep) -> None:
    keep(fakes.run("kept"))
    for file in (cache_folder() / "runs").glob("*.npz"):
        file.write_bytes(file.read_bytes()[:100])
    at = open_page("pages/2_Unlearn.py", run="kept")
    assert "per-image losses of run kept are lost" in at.error[0].value
    at.button(key="new-run").click().run()
    assert not at.exception
    table = open_page("pages/6_Compare.py", runs="kept")
    assert "kept" not in [e.value for e in table.error]
    assert list(table.dataframe[0].value["method"]) == ["Fine-tune"]


def test_a_damaged_shipped_run_leaves_the_front_page(open_page: Open, ship, tmp_path: Path) -> None:
    ship(fakes.run("shipped", fakes.plan(dataset="cifar10")))
    (tmp_path / "shipped" / "runs" / "shipped.npz").write_bytes(b"")
    at = open_page()
    assert "is damaged" in texts(at)
    assert at.button(key="start")


def test_an_array_file_that_cannot_be_read_is_said_after_a_repair(open_page: Open, keep) -> None:
    keep(fakes.run("kept"))
    keep(fakes.run("torn"))
    file = next((cache_folder() / "runs").glob("torn.*.npz"))
    file.write_bytes(file.read_bytes()[:100])
    for part in cache_folder().glob("runs.sqlite*"):
        part.unlink()
    at = open_page()
    at.button(key="set-aside").click().run()
    assert not at.exception
    assert "1 array file could not be read and was kept as" in at.warning[0].value
    assert runs.load("kept", "").after is not None
    at.button(key="dismiss-notes").click().run()
    assert not at.warning
