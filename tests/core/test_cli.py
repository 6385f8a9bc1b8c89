"""The shell's promises: exit codes, one line where something is wrong, the fields of the JSON."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from core import __main__ as cli
from core.checkpoints import memorisation, storage
from core.checkpoints.outside import load_file_as
from core.checkpoints.storage import load_model
from core.data.download import DownloadProgress
from core.errors import Diverged
from core.files import cache_folder
from core.runs.run import Snapshot
from core.runs.shell import progress
from core.runs.shell.exit_codes import CANCELLED
from core.runs.shell.interrupts import stopped_by_ctrl_c
from core.runs.store import array_files
from core.runs.store.store import Store
from core.unlearners import METHODS, describe, make
from tests import tiny
from tests.core.test_store import a_run

ROOT = Path(__file__).resolve().parents[2]
SIX = {
    "forget_accuracy",
    "retain_accuracy",
    "test_accuracy",
    "retained_test_accuracy",
    "mia",
    "mia_class_matched",
}


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory, small_compact: None):
    """A folder of images, and a cache with a base model trained on them from the shell."""
    folder = tmp_path_factory.mktemp("birds")
    draw = np.random.default_rng(0)
    for half, count in (("train", 30), ("test", 15)):
        for kind in ("heron", "stork"):
            (folder / half / kind).mkdir(parents=True)
            for i in range(count):
                pixels = draw.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / half / kind / f"{i:02}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORGETTING_LAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("FORGETTING_LAB_DATABASE", raising=False)
        for module in (storage, memorisation, cli):
            patch.setattr(module, "SHIPPED", folder / "nothing")
        assert cli.main(["train", "--dataset", "birds", "--data", str(folder)]) == 0
        yield folder


def core(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])


def unlearn(birds: Path, *more: object) -> int:
    return core("unlearn", "--dataset", "birds", "--data", birds, *more)


FINE_TUNE = ("--forget", "random:12", "--method", "fine_tune", "--set", "epochs=3")


def test_unlearn_writes_what_scripts_rely_on(
    birds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    assert unlearn(birds, *FINE_TUNE, "--set", "batch_size=16", "--json", out) == 0
    found = json.loads(out.read_text())
    for name in ("before", "after"):
        assert set(found[name]) == SIX
        assert all(0 <= value <= 1 for value in found[name].values())
    assert found["retrained"] is None
    assert set(found["seconds"]) == {"unlearning", "measuring"}
    assert found["settings"] == make("fine_tune", {"epochs": 3, "batch_size": 16}).settings()
    assert found["data"]["dataset"] == "birds"
    assert (found["data"]["forget"], found["data"]["retain"], found["data"]["test"]) == (12, 48, 30)
    assert {"python", "torch", "threads"} <= set(found["versions"])
    assert found["status"] == "finished"
    assert found["steps"] == {"done": 9, "total": 9}
    text = out.read_text()
    assert str(birds) not in text  # it is shared
    said = capsys.readouterr()
    assert "forget_accuracy" in said.out
    assert "measuring every image" in said.err
    assert list(tmp_path.iterdir()) == [out]


def test_json_to_the_screen_is_one_document(
    birds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert unlearn(birds, *FINE_TUNE, "--json", "-") == 0
    assert set(json.loads(capsys.readouterr().out)["after"]) == SIX


def test_too_few_images_to_attack_give_null(birds: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    indices = tmp_path / "indices"
    indices.write_text("3\n1\n4\n1\n")
    request = ("--forget", f"indices:{indices}", "--method", "neg_grad")
    assert unlearn(birds, *request, "--json", out) == 0
    found = json.loads(out.read_text())
    assert found["data"]["forget"] == 3
    assert found["after"]["mia"] is None
    assert set(found["after"]) == SIX


def test_the_same_command_gives_the_same_weights(birds: Path, tmp_path: Path) -> None:
    digests = []
    for name in ("a", "b"):
        out, weights = tmp_path / f"{name}.json", tmp_path / f"{name}.safetensors"
        assert unlearn(birds, *FINE_TUNE, "--json", out, "--weights", weights) == 0
        digests.append(json.loads(out.read_text())["weights_sha256"])
    assert digests[0] == digests[1] != ""
    written = load_file_as("compact", tmp_path / "a.safetensors", classes=2)
    assert not tiny.same(written, load_model("compact", "birds"))


def test_a_reference_gives_the_third_column(
    birds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = ("--forget", "class:heron:0.5", "--forget-seed", "2")
    train = ("train", "--dataset", "birds", "--data", birds)
    assert core(*train, "--without", "class:heron:0.5", "--forget-seed", 2) == 0
    assert "retrained-" in capsys.readouterr().out
    out = tmp_path / "out.json"
    assert unlearn(birds, *request, "--method", "fine_tune", "--json", out) == 0
    assert set(json.loads(out.read_text())["retrained"]) == SIX
    # Another forget seed is another forget set.
    assert unlearn(birds, *request[:2], "--method", "fine_tune", "--json", out) == 0
    assert json.loads(out.read_text())["retrained"] is None


@pytest.mark.parametrize(
    "arguments",
    [
        ("--forget", "random:12"),
        ("--method", "fine_tune"),
        ("--forget", "random:12", "--method", "nothing"),
        ("--forget", "class:zebra", "--method", "fine_tune"),
        ("--forget", "random:0", "--method", "fine_tune"),
        ("--forget", "random:1.0", "--method", "fine_tune"),
        ("--forget", "random:61", "--method", "fine_tune"),
        ("--forget", "some", "--method", "fine_tune"),
        ("--forget", "indices:/no/such/file", "--method", "fine_tune"),
        (*FINE_TUNE, "--set", "colour=1"),
        (*FINE_TUNE, "--set", "epochs=-1"),
        (*FINE_TUNE, "--set", "epochs=many"),
        (*FINE_TUNE, "--set", "epochs"),
        (*FINE_TUNE, "--seed", "x"),
        (*FINE_TUNE, "--model", "vgg"),
        (*FINE_TUNE, "--dataset", "../birds"),
        (*FINE_TUNE, "--json", "/no/such/folder/out.json"),
        (*FINE_TUNE, "--weights", "/no/such/folder/out.safetensors"),
        (*FINE_TUNE, "--colour", "red"),
    ],
)
def test_a_bad_request_is_one_line_and_exit_code_2(
    birds: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert unlearn(birds, *arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert said.err.endswith("\n")


@pytest.mark.parametrize(
    "arguments",
    [("runs", "nosuchrun"), ("runs", "../../x"), ("fly",), (), ("train", "--model", "x")],
)
def test_bad_requests_of_other_commands(
    birds: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    data = ("--dataset", "birds", "--data", birds) if "train" in arguments else ()
    assert core(*arguments, *data) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_what_is_missing_is_one_line_and_exit_code_1(
    birds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert core("unlearn", "--data", tmp_path / "nowhere", *FINE_TUNE) == 1
    assert core("unlearn", "--dataset", "storks", "--data", birds, *FINE_TUNE) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "does not exist" in lines[0]
    assert "python -m core train" in lines[1]


def test_runs_lists_and_shows(birds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert unlearn(birds, *FINE_TUNE, "--json", "-") == 0
    report = json.loads(capsys.readouterr().out)
    assert core("runs") == 0
    [line] = [row for row in capsys.readouterr().out.splitlines() if report["id"] in row]
    assert "fine_tune" in line
    assert "12 random training images" in line
    assert core("runs", "--json", "-") == 0
    listed = json.loads(capsys.readouterr().out)
    assert report in listed
    assert core("runs", report["id"]) == 0
    assert report["id"] in capsys.readouterr().out


def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("FORGETTING_LAB_DATABASE", f"sqlite:///{tmp_path}/own.sqlite")
    return Store()


def test_a_failed_run_and_a_bad_row_do_not_break_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = own_store(tmp_path, monkeypatch)
    bare = {"before": None, "after": None, "replay": (), "seconds": {}}
    store.save(a_run("broken", status="failed", error="There is no class 'x'.", **bare))
    store.begin(a_run("at-work", **bare))
    store.save(a_run("whole"))
    store.save(a_run("robbed"))
    next(store.folder.glob("robbed.*.npz")).unlink()
    store.save(a_run("bad-row"))
    with store.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE runs SET record = '{' WHERE id = 'bad-row'")

    assert core("runs", "--json", "-") == 0
    listed = {row["id"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(listed) == {"broken", "at-work", "whole", "robbed"}
    assert listed["broken"]["error"] == "There is no class 'x'."
    assert listed["broken"]["seconds"] == {"unlearning": None, "measuring": None}
    assert "losses of run robbed are lost" in listed["robbed"]["error"]
    assert core("runs", "broken") == 0
    assert "There is no class 'x'." in capsys.readouterr().out
    assert core("runs", "at-work") == 0
    assert core("runs", "broken", "--json", "-") == 0


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (Diverged("The loss became infinite.", "Try less."), "The loss became infinite. Try less."),
        (ValueError("secret"), "Something went wrong in this run (ValueError)."),
        (KeyboardInterrupt(), "The run was broken off."),
    ],
)
def test_the_reason_of_a_failure_is_kept(
    birds: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    kept: str,
) -> None:
    store = own_store(tmp_path, monkeypatch)

    def fail(*_: Any, **__: Any) -> Any:
        raise error
        yield

    monkeypatch.setattr(METHODS["fine_tune"], "run", fail)
    with contextlib.suppress(ValueError):
        assert unlearn(birds, *FINE_TUNE) in (1, CANCELLED)
    (summary,) = store.summaries()
    assert (summary.status, summary.error) == ("failed", kept)


def test_a_result_that_cannot_be_saved_is_shown_and_said(
    birds: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = own_store(tmp_path, monkeypatch)

    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(array_files, "write_file", refuse)
    assert unlearn(birds, *FINE_TUNE, "--json", "-") == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["status"] == "finished"
    assert "cannot be saved: No space left on device." in said.err
    (summary,) = store.summaries()
    assert summary.error.startswith("This run finished, but it could not be saved.")


def test_methods(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"method": "fine_tune", "case": "random:0.1", "gap": 2.5, "seconds": 50.0, "share": 0.06}
    monkeypatch.setattr("core.runs.measured.measured_methods", lambda: [row])
    assert core("methods") == 0
    text = capsys.readouterr().out
    for name, method in METHODS.items():
        assert f"  {name} " in text
        assert method.label in text
    in_float32 = [name for name, method in METHODS.items() if method.precision == "float32"]
    assert "scrub" in in_float32
    assert text.count("; always in float32; ") == len(in_float32)
    costs = "on CIFAR-10, random:0.1: 50.0 s, 6.0 % of retraining, 2.50 points from it"
    assert text.count(costs) == 1
    default, presets = make("fine_tune"), make("fine_tune", case="class")
    assert f"--set epochs={default.epochs} " in text
    assert f"; class {presets.epochs}, digits" in text
    assert core("methods", "--json", "-") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [entry.pop("measured") for entry in listed if entry["name"] == "fine_tune"] == [[row]]
    assert [{k: v for k, v in entry.items() if k != "measured"} for entry in listed] == describe()


def test_info(birds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert core("info", "--json", "-") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["data"] == {"cifar10": False, "digits": True}
    assert found["cache"] == str(cache_folder())
    assert set(found["models"]["compact-birds/base"]) == {"train", "test"}
    assert core("info") == 0
    text = capsys.readouterr().out
    assert "cifar10: not on this machine" in text
    assert "compact-birds/base: " in text


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a terminal is given to draw, where stdout and stderr are one."""
    drawn = io.StringIO()
    console = Console(file=drawn, force_terminal=True, width=120, color_system=None)
    monkeypatch.setattr(progress, "terminal", lambda stream: console)
    return drawn


BAR = "━" * 10


def test_a_terminal_shows_a_bar_of_the_training(
    birds: Path, screen: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    train = ("train", "--dataset", "birds", "--data", birds, "--without", "random:5")
    assert core(*train, "--forget-seed", 9) == 0
    said, drawn = capsys.readouterr(), screen.getvalue()
    assert "retrained-" in said.out
    assert said.err == ""
    assert re.search(r"epoch \d+ +.+ step \d+ of \d+, loss \d.\d+, accuracy [\d.]+ %", drawn)
    assert re.search(r"0:\d\d left", drawn)
    assert BAR in drawn


def test_a_terminal_shows_a_bar_of_the_unlearning(
    birds: Path, screen: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    assert unlearn(birds, *FINE_TUNE, "--json", "-") == 0
    said, drawn = capsys.readouterr(), screen.getvalue()
    assert set(json.loads(said.out)["after"]) == SIX
    assert said.err == ""
    # How far it is, nobody knows: a bar that is not empty.
    assert re.search(r"measuring every image ━+.* after step 3 of 3", drawn)


def test_a_bar_says_what_is_done_and_how_long_it_takes(screen: io.StringIO) -> None:
    with progress.progress(every=2) as show:
        show(progress.of_unlearning(Snapshot(30, 60, "repair", 9.0, 0.0, 3725.2, 0.25)))
    assert re.search(r"repair ━{10} +step 30 of 60, loss 0.250 1:02:05 left", screen.getvalue())


def test_a_terminal_shows_a_table_of_the_runs(
    birds: Path, screen: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    assert unlearn(birds, *FINE_TUNE, "--json", "-") == 0
    id = json.loads(capsys.readouterr().out)["id"]
    screen.truncate(0)
    assert core("runs") == 0
    assert capsys.readouterr().out == ""
    [line] = [row for row in screen.getvalue().splitlines() if id in row]
    assert re.search(r"finished +fine_tune +12 random training images", line)


@pytest.mark.parametrize("first", [0.0, 100.0])
def test_the_line_of_a_download_is_said_when_it_is_due(
    first: float, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Now and then, and at once where it brings news."""
    now = [first]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with progress.progress(every=2) as show:
        for done, note in [
            (0, ""),
            (1, ""),
            (2, ""),
            (3, ""),
            (3, "Again."),
            (3, "Again."),
            (9, ""),
        ]:
            [stand] = progress.of_download([DownloadProgress("a", done * 10**6, 9 * 10**6, note)])
            show(stand)
            now[0] += 1
    said = capsys.readouterr().err.splitlines()
    steps = ["0 of 9 MB", "2 of 9 MB", "3 of 9 MB Again.", "9 of 9 MB"]
    assert said == [f"a: {step}" for step in steps]


def test_the_time_left_of_a_download_goes_by_what_came(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an earlier try had left behind came in no time, and tells nothing."""
    now = iter([0.0, 0.0, 10.0])
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(now)))
    items = [DownloadProgress("a", done, 100) for done in (50, 70)]
    assert [stand.left for stand in progress.of_download(items)] == [None, 15.0]


def test_a_dumb_terminal_and_a_pipe_get_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on many a CI machine, where nothing is a terminal
    assert progress.terminal(sys.stderr) is None
    assert progress.terminal(None) is None
    teletype = io.StringIO()
    monkeypatch.setattr(teletype, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "dumb")
    assert progress.terminal(teletype) is None


def test_ctrl_c_stops_and_twice_ends() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stopped_by_ctrl_c() as stop:
        assert not stop()
        signal.raise_signal(signal.SIGINT)
        assert stop()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


# In a process of its own

SLOWLY = """
import sys, time
from pathlib import Path
from core.__main__ import main
from core.checkpoints import memorisation, storage
from core.models.compact import Compact
from core.runs import task
from tests import tiny
Compact.WIDTHS = tiny.WIDTHS
storage.SHIPPED = memorisation.SHIPPED = Path(sys.argv[1])
task._synchronise = lambda device: time.sleep(0.05)
sys.exit(main(sys.argv[2:]))
"""


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_ctrl_c_keeps_what_was_done(
    birds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    child = start(
        "-c", SLOWLY, birds / "nothing", "unlearn", "--dataset", "birds", "--data", birds,
        "--forget", "random:12", "--method", "fine_tune", "--set", "epochs=50",
        "--set", "batch_size=8", "--json", out,
    )  # fmt: skip
    assert child.stderr is not None
    said = []
    while "unlearning: step" not in (line := child.stderr.readline()):
        said.append(line)
        assert line, said
    child.send_signal(signal.SIGINT)
    _, rest = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "Traceback" not in rest
    found = json.loads(out.read_text())
    assert found["status"] == "partial"
    assert 0 < found["steps"]["done"] < found["steps"]["total"] == 300
    assert set(found["after"]) == SIX
    assert core("runs") == 0
    [line] = [row for row in capsys.readouterr().out.splitlines() if found["id"] in row]
    assert "partial" in line


def test_as_a_module() -> None:
    child = start("-m", "core", "methods", "--json", "-")
    out, _ = child.communicate(timeout=200)
    assert child.returncode == 0
    assert [method["name"] for method in json.loads(out)] == list(METHODS)


DOWNLOAD = """
import sys, time
from core.__main__ import main
from core.data import download
def slowly(name):
    for n in range(4):
        yield download.DownloadProgress("a.tar.gz", n * 10**7, 3 * 10**7)
        time.sleep(0.3)
download.download = slowly
sys.exit(main(["download"]))
"""


def test_a_real_terminal_gets_a_bar_and_a_pipe_the_result() -> None:
    ours, theirs = os.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", DOWNLOAD], stdout=subprocess.PIPE, stderr=theirs, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100"},
    )  # fmt: skip
    os.close(theirs)
    drawn = b""
    with contextlib.suppress(OSError):  # Linux's way to say that nobody writes any more
        while part := os.read(ours, 4096):
            drawn += part
    os.close(ours)
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    assert out == b"CIFAR-10 is here.\n"
    text = drawn.decode()
    assert BAR in text
    assert re.search(r"a\.tar\.gz.+20 of 30 MB.+0:\d\d left", text)
    assert text.rstrip().endswith("\x1b[2K")  # and wipes it away


def test_the_help_takes_none_of_what_is_slow_to_import() -> None:
    code = (
        "import sys; from core.__main__ import main; print(main(['-h']), *sys.modules, sep='\\n')"
    )
    child = start("-c", code)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (0, "")
    shown, _, modules = out.partition("\n0\n")
    assert all(f"  {name}" in shown for name in ("info", "train", "unlearn", "repair"))
    slow = {"torch", "sklearn", "numpy", "sqlalchemy", "streamlit", "rich", "pydantic"}
    assert not slow & set(modules.split())


def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    child = start("-m", "core", "--help")
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    assert child.stderr.read() == ""
    assert child.wait(timeout=60) == 0
