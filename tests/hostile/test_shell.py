"""Commands that somebody mistyped or made up: one line, an exit code, and no work begun."""

from __future__ import annotations

from pathlib import Path

import pytest

from core import __main__ as cli
from tests.hostile.conftest import PICTURE, Shell

HUGE = "9" * 400
FINE_TUNE = ("unlearn", "--dataset", "digits", "--method", "fine_tune")
TENTH = (*FINE_TUNE, "--forget", "random:0.1")
COMMANDS: list[tuple[str, tuple[str, ...], str]] = [
    ("seed: negative", (*TENTH, "--seed", "-1"), "is not a seed from 0 to 2147483647"),
    ("seed: 30 digits", (*TENTH, "--seed", "9" * 30), "is not a seed"),
    ("seed: 5,000 digits", (*TENTH, "--seed", "9" * 5000), "is not a seed"),
    ("seed: a word", (*TENTH, "--seed", "x"), "'x' is not a seed"),
    ("forget seed: negative", (*TENTH, "--forget-seed", "-1"), "is not a seed"),
    ("train's seed: huge", ("train", "--dataset", "digits", "--seed", HUGE), "is not a seed"),
    ("train's forget seed", ("train", "--dataset", "digits", "--forget-seed=-1"), "not a seed"),
    ("weights: a folder", (*TENTH, "--weights", "{tmp}"), "it is a folder"),
    ("weights: nowhere", (*TENTH, "--weights", "{tmp}/no/w"), "its folder does not exist"),
    ("weights: empty", (*TENTH, "--weights", ""), "it is a folder"),
    ("json: a folder", (*TENTH, "--json", "{tmp}"), "it is a folder"),
    ("json: the root", (*TENTH, "--json", "/"), "it is a folder"),
    ("methods' json: a folder", ("methods", "--json", "{tmp}"), "it is a folder"),
    ("runs' json: here", ("runs", "--json", "."), "it is a folder"),
    ("info's json: nowhere", ("info", "--json", "{tmp}/no/x"), "does not exist"),
    ("count: 400 digits", (*FINE_TUNE, "--forget", f"random:{HUGE}"), "that many images"),
    ("count: 5,000 digits", (*FINE_TUNE, "--forget", "random:" + "9" * 5000), "cannot be read"),
    ("count: infinite", (*FINE_TUNE, "--forget", "random:1e999"), "makes no sense"),
    ("memorised: all and more", (*FINE_TUNE, "--forget", "memorised:898"), "only 897"),
    ("class: a picture", (*FINE_TUNE, "--forget", f"class:{PICTURE}"), "cannot be read"),
    ("class: a link", (*FINE_TUNE, "--forget", "class:[x](//a.b)"), "No class can be named"),
    ("class: two lines", (*FINE_TUNE, "--forget", "class:a\nb"), "No class can be named"),
    ("class: unknown", (*FINE_TUNE, "--forget", "class:cat"), "There is no class"),
    ("index file: binary", (*FINE_TUNE, "--forget", "indices:{tmp}/binary"), "cannot be read"),
    ("index file: a folder", (*FINE_TUNE, "--forget", "indices:{tmp}"), "cannot be read"),
    ("index file: empty", (*FINE_TUNE, "--forget", "indices:{tmp}/empty"), "is empty"),
    ("index file: huge numbers", (*FINE_TUNE, "--forget", "indices:{tmp}/huge"), "that number"),
    ("index file: ~nobody", (*FINE_TUNE, "--forget", "indices:~no-one-here/x"), "cannot be read"),
    ("setting: two lines", (*TENTH, "--set", "a\nb"), "--set 'a\\nb' cannot be read"),
    ("setting: infinite", (*TENTH, "--set", "epochs=1e999"), "epochs"),
    ("setting: 400 digits", (*TENTH, "--set", f"batch_size={HUGE}"), "atch"),
    ("setting: not a number", (*TENTH, "--set", "epochs=nan"), "epochs"),
    ("method: a picture", (*TENTH, "--method", PICTURE), "method"),
    ("model: a path", (*TENTH, "--model", "../../x"), "There is no model"),
    ("data set: a path", (*TENTH, "--dataset", "../digits"), "cannot name a data set"),
    ("data set: nothing", (*TENTH, "--dataset", ""), "cannot name a data set"),
    ("data: a file", (*TENTH, "--dataset", "a", "--data", "{tmp}/binary"), "does not exist"),
    ("data: ~nobody", (*TENTH, "--dataset", "a", "--data", "~no-one-here/x"), "does not exist"),
    ("run: a path", ("runs", "../../etc/passwd"), "There is no run"),
    ("run: 5,000 letters", ("runs", "a" * 5000), "There is no run"),
    ("a command of two lines", ("fly\naway",), "No such command"),
    ("a command: 5,000 letters", ("a" * 5000,), "No such command"),
    ("an option of two lines", ("runs", "--a\nb"), "No such option"),
    ("an option: 5,000 letters", ("runs", "--" + "a" * 5000), "No such option"),
    ("an option: escape codes", ("runs", "--\x1b[31m\x1b]0;x\x07"), "No such option"),
    ("runs: 999 too many", ("runs", *["a", "b", "c"] * 333), "unexpected extra"),
    ("keep: 5,000 letters", ("train", "--keep", "a" * 5000), "'weights', 'half', 'logits'"),
    ("json: an option", ("methods", "--json", "--help"), "'--help' is an option"),
    ("weights: an option", (*TENTH, "--weights", "--json"), "'--json' is an option"),
    ("json: nothing", ("methods", "--json"), "requires an argument"),
]


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is unlearned: what is wrong is said before that."""

    def work(*_: object, **__: object) -> None:
        raise AssertionError("the work began")

    monkeypatch.setattr("core.runs.task.Watcher", work)


@pytest.mark.parametrize(
    ("arguments", "said"), [pytest.param(*row[1:], id=row[0]) for row in COMMANDS]
)
def test_a_bad_command_is_one_line(
    shell: Shell, no_work: None, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "binary").write_bytes(bytes(range(256)))
    (folder / "empty").write_bytes(b"")
    (folder / "huge").write_text(f"{HUGE}\n1\n")
    before = sorted(folder.iterdir())
    code, line = shell(*(argument.replace("{tmp}", str(folder)) for argument in arguments))
    assert code == 2 or said == "does not exist"
    assert said in line
    assert line.rstrip("\n").isprintable()
    assert sorted(folder.iterdir()) == before


def test_a_full_disk_is_one_line(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "/cache/training/x.state")

    monkeypatch.setattr("core.checkpoints.references.train_model", full)
    code, line = shell("train", "--dataset", "digits")
    assert (code, line) == (1, "error: /cache/training/x.state: No space left on device\n")


def test_repair_leaves_a_whole_database_alone(cache: Path, capsys) -> None:
    before = {file: file.read_bytes() for file in cache.glob("runs/*")}
    assert cli.main(["repair"]) == 0
    assert "not damaged" in capsys.readouterr().out
    assert {file: file.read_bytes() for file in cache.glob("runs/*")} == before
    assert not list(cache.glob("*.broken-*"))


def test_repair_makes_a_damaged_database_anew(cache: Path, capsys) -> None:
    file = cache / "runs.sqlite"
    for beside in cache.glob("runs.sqlite-*"):
        beside.unlink()
    file.write_bytes(b"this is no database, but it is long enough to be read as one" * 200)
    assert cli.main(["repair"]) == 0
    said = capsys.readouterr()
    assert "is damaged" in said.err
    assert "has 1 runs" in said.out
    assert list(cache.glob("runs.sqlite.broken-*"))


def test_download_fetches_and_says_so(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    from core.data import download

    steps = [download.DownloadProgress("a.tar.gz", n, 10_000_000) for n in (0, 10_000_000)]
    monkeypatch.setattr(download, "download", lambda name: iter(steps))
    assert cli.main(["download"]) == 0
    said = capsys.readouterr()
    assert "a.tar.gz: 10 of 10 MB" in said.err
    assert "CIFAR-10 is here" in said.out


def test_download_says_where_it_would_not_be_looked_at(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FORGETTING_LAB_DATA", str(tmp_path))
    assert "would not be looked at" in shell("download")[1]
