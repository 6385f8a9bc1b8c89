"""The store of finished runs: round trips, damage, leftovers, dead processes."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import math
import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from sqlalchemy import text
from sqlalchemy.engine.default import DefaultDialect

from core.data.requests import ForgetRequest
from core.errors import BadRequest, RunMissing, StoreCorrupt, StoreUnavailable
from core.metrics.measures import AttackMeasure, Evaluation, Measure
from core.metrics.registry import METRICS
from core.runs.plan import Plan
from core.runs.run import Probe, Run, Snapshot
from core.runs.run_files import fields_of, run_from_files, run_to_files, shipped_runs, to_json
from core.runs.store import address as addresses
from core.runs.store import array_files
from core.runs.store.reset import reset_aside
from core.runs.store.store import Store
from tests.databases import both
from tests.killed import killed


def an_evaluation(draw: np.random.Generator, n: int = 40) -> Evaluation:
    def losses(count: int) -> Any:
        return draw.exponential(size=count).astype(np.float32)

    def measure(kind: type[Measure], **more: Any) -> Any:
        return kind(float(draw.random()), 0.1, 0.9, n, **more)

    measures = {name: measure(Measure) for name in METRICS}
    measures["mia"] = measure(AttackMeasure, direction="forget lower")
    measures["mia_class_matched"] = measure(AttackMeasure, direction="none")
    measures["overlap"] = Measure(float(draw.random()), math.nan, math.nan, n)
    return Evaluation(
        measures,
        forget_losses=losses(n),
        test_losses=losses(2 * n),
        class_matched_losses=losses(n),
    )


def a_run(id: str = "run-1", status: Any = "finished", seed: int = 0, **changes: Any) -> Run:
    draw = np.random.default_rng(seed)
    losses = draw.exponential(size=(4, 32)).astype(np.float32)
    losses[0, :3] = np.nan, np.inf, -0.0  # what a diverged run leaves must come back too
    replay = (
        Snapshot(1, 10, "unlearning", 0.1, 0.2, None, 1.5,
                 rolling=Probe(losses[0], losses[1], 0.5, 0.25, None)),
        Snapshot(
            5, 10, "unlearning", 0.5, 0.3, 0.5, math.inf,
            probe=Probe(
                losses[2], losses[3], 0.25, 0.5, 0.6,
                class_right=np.arange(4), class_seen=np.arange(4) + 3,
            ),
        ),
    )  # fmt: skip
    run = Run(
        id=id,
        plan=Plan(
            "compact", "digits", ForgetRequest.of_indices([3, 1, 2]), "fine_tune",
            {"rate": 0.01, "steps": 3, "name": "é", "on": True}, seed,
        ),
        status=status,
        created=f"2025-01-01T00:00:{seed % 60:02d}+00:00",
        settings={"rate": 0.01, "momentum": 0.9},
        seconds={"unlearning": 1.25, "measuring": 0.1 + 0.2},
        versions={"python": "3.11", "threads": 2},
        data={"dataset": "digits", "forget": 3, "retain": 894, "forget_digest": "ab"},
        before=an_evaluation(draw),
        after=an_evaluation(draw),
        retrained=None,
        replay=replay,
        weights_sha256="00ff",
        reference="digits/x",
        steps_done=10,
        total_steps=10,
    )  # fmt: skip
    return dataclasses.replace(run, **changes)


def flat(item: Any, path: str = "") -> dict[str, Any]:
    """Every leaf of a run by its path; arrays as their type, shape and bytes."""
    if dataclasses.is_dataclass(item):
        parts: Any = [(f.name, getattr(item, f.name)) for f in dataclasses.fields(item)]
    elif isinstance(item, dict):
        parts = item.items()
    elif isinstance(item, tuple):
        parts = [("length", len(item)), *enumerate(item)]
    elif isinstance(item, np.ndarray):
        return {path: (item.dtype.str, item.shape, item.tobytes())}
    else:
        return {path: (type(item), repr(item))}
    return {k: v for name, part in parts for k, v in flat(part, f"{path}/{name}").items()}


@pytest.fixture
def store(url: str, tmp_path: Path) -> Any:
    store = Store(url, shipped=tmp_path / "shipped")
    yield store
    store.close()


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


@both
def test_round_trip_is_exact(store: Store) -> None:
    run = a_run()
    store.save(run)
    assert flat(store.load(run.id)) == flat(run)


def test_round_trip_in_files_is_exact(tmp_path: Path) -> None:
    run = a_run()
    path = run_to_files(run, tmp_path)
    assert path == tmp_path / "run-1.json"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run-1.json", "run-1.npz"]
    assert flat(run_from_files(tmp_path, run.id)) == flat(run)


def test_files_are_the_same_for_the_same_run(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        run_to_files(a_run(), tmp_path / folder)
    for name in ("run-1.json", "run-1.npz"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@both
def test_round_trip_without_evaluations(store: Store) -> None:
    run = a_run(status="failed", before=None, after=None, replay=(), error="It failed.")
    store.save(run)
    assert flat(store.load(run.id)) == flat(run)


@both
def test_saving_again_replaces_row_and_file(store: Store) -> None:
    store.save(a_run(seed=1), owner="me")
    store.save(a_run(seed=2))
    assert flat(store.load("run-1")) == flat(a_run(seed=2))
    assert len(list(store.folder.iterdir())) == 1
    assert store.summary("run-1").owner == "me"


@both
def test_summaries(store: Store) -> None:
    for i in (1, 3, 2):
        store.save(a_run(f"run-{i}", seed=i), owner=f"owner {i}")
    first = store.summaries()[0]
    assert [s.id for s in store.summaries()] == ["run-3", "run-2", "run-1"]
    run = a_run("run-3", seed=3)
    assert run.after is not None
    assert first.plan == dataclasses.replace(run.plan, request=run.plan.request.brief())
    assert first.owner == "owner 3"
    assert not first.shipped
    assert first.metrics["after"] == run.after.metrics()
    assert first.metrics["retrained"] is None
    assert first.value("after", "mia") == run.after["mia"].value
    assert first.value("after", "overlap") == run.after["overlap"].value
    assert first.value("retrained", "mia") is None
    assert store.summary("run-3") == dataclasses.replace(first, plan=run.plan)


@both
def test_a_row_has_what_is_asked_for_and_one_record_of_the_rest(store: Store) -> None:
    run = a_run(seed=7)
    store.save(run, owner="me")
    with store.database.engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM runs")).mappings().one()
    columns = {"id", "created", "status", "owner", "error", "steps_done", "total_steps"}
    at_work = {"host", "lock_file", "last_progress"}
    assert set(row) == {*columns, *at_work, "record", "arrays_file", "arrays_sha256"}
    rest = {name: value for name, value in fields_of(run).items() if name not in columns}
    rest["plan"] = {**run.plan.to_dict(), "request": run.plan.request.brief().to_dict()}
    assert row["record"] == to_json(rest)


@both
def test_delete(store: Store) -> None:
    store.save(a_run())
    store.delete("run-1")
    assert store.summaries() == []
    assert list(store.folder.iterdir()) == []
    with pytest.raises(RunMissing):
        store.delete("run-1")


@both
def test_missing_and_strange_ids(store: Store) -> None:
    for id in ("nothing", "../../etc/passwd", "", ".hidden", "a/b", "x" * 500):
        for look in (store.load, store.summary, store.delete):
            with pytest.raises(RunMissing):
                look(id)
    with pytest.raises(RunMissing):
        store.save(a_run("../escape"))


@both
def test_shipped_runs_are_found(store: Store) -> None:
    run = a_run("shipped-1")
    run_to_files(run, store.shipped)
    (store.shipped / "broken.json").write_text('{"id":')
    listed = shipped_runs(store.shipped)
    assert [s.id for s in listed] == ["shipped-1"]
    assert listed[0].shipped
    assert flat(store.load("shipped-1")) == flat(run)
    assert store.summary("shipped-1") == listed[0]
    assert store.summaries() == []
    with pytest.raises(BadRequest, match="comes with the project"):
        store.delete("shipped-1")
    with pytest.raises(StoreCorrupt):
        store.load("broken")
    assert shipped_runs(store.shipped / "not there") == []


@both
def test_a_second_store_sees_the_same_runs(store: Store, url: str) -> None:
    store.save(a_run())
    other = Store(url)
    assert flat(other.load("run-1")) == flat(a_run())
    other.close()


def test_address_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGETTING_LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FORGETTING_LAB_DATABASE", raising=False)
    store = Store()
    store.save(a_run())
    store.close()
    assert (tmp_path / "cache" / "runs.sqlite").exists()
    assert len(list((tmp_path / "cache" / "runs").glob("*.npz"))) == 1
    monkeypatch.setenv("FORGETTING_LAB_DATABASE", f"sqlite:///{tmp_path}/other.db")
    assert Store().summaries() == []


@pytest.mark.parametrize("address", ["nonsense", "nodatabase://x/y", "sqlite://"])
def test_unusable_address(address: str) -> None:
    with pytest.raises(BadRequest):
        Store(address)


def test_address_with_a_missing_driver_hides_the_password(tmp_path: Path) -> None:
    with pytest.raises(BadRequest) as caught:
        Store("mysql+mysqldb://me:secret@host/name", folder=tmp_path)
    assert "secret" not in str(caught.value)
    assert "MySQLdb" in str(caught.value)


# Damage


@both
@pytest.mark.parametrize("damage", ["missing", "truncated", "changed"])
def test_lost_arrays(store: Store, damage: str) -> None:
    store.save(a_run())
    (path,) = store.folder.glob("*.npz")
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.write_bytes(content[:200] + b"x" + content[201:])
    with pytest.raises(StoreCorrupt, match=r"losses of run run-1 are lost.*numbers remain"):
        store.load("run-1")
    assert [s.id for s in store.summaries()] == ["run-1"]


def broken(url: str, damage: str) -> Path:
    file = Path(url.removeprefix("sqlite:///"))
    content = file.read_bytes()
    page = 4096
    if damage == "garbage":
        file.write_bytes(os.urandom(len(content)))
    elif damage == "text":
        file.write_text("not a database\n" * 100)
    elif damage == "half":
        file.write_bytes(content[: len(content) // 2 // page * page])
    elif damage == "torn":
        file.write_bytes(content[: len(content) - page - 100])
    elif damage == "short":
        file.write_bytes(content[:50])
    elif damage == "empty":
        file.write_bytes(b"")
    else:
        file.write_bytes(content[:page] + os.urandom(len(content) - page))
    return file


@pytest.mark.parametrize("damage", ["garbage", "text", "half", "torn", "short", "empty", "inner"])
def test_damaged_database(url: str, tmp_path: Path, damage: str) -> None:
    store = Store(url)
    runs = [a_run(f"run-{i}", seed=i) for i in range(12)]
    for run in runs:
        store.save(run)
    store.close()
    file = broken(url, damage)
    content = file.read_bytes()

    with pytest.raises(StoreCorrupt, match="is damaged") as caught:
        Store(url)
    assert "\n" not in str(caught.value)
    assert file.read_bytes() == content

    anew = reset_aside(url)
    (aside,) = tmp_path.glob("lab.sqlite.broken-*")
    assert aside.read_bytes() == content
    for run in runs:
        assert flat(anew.load(run.id)) == flat(run)
    assert len(anew.summaries()) == len(runs)
    anew.close()


def test_reset_aside_leaves_out_damaged_array_files(url: str) -> None:
    store = Store(url)
    for i in range(2):
        store.save(a_run(f"run-{i}", seed=i))
    store.close()
    next(store.folder.glob("run-0*")).write_bytes(b"PK damaged")
    broken(url, "text")
    anew = reset_aside(url)
    assert [s.id for s in anew.summaries()] == ["run-1"]
    anew.close()


def test_database_damaged_while_open(store: Store, url: str) -> None:
    for i in range(12):
        store.save(a_run(f"run-{i}", seed=i))
    store.database.engine.dispose()
    broken(url, "garbage")
    with pytest.raises(StoreCorrupt):
        store.summaries()


@both
def test_one_damaged_row_does_not_hide_the_others(store: Store) -> None:
    store.save(a_run("run-1", seed=1))
    store.save(a_run("run-2", seed=2))
    with store.database.engine.begin() as connection:
        connection.execute(text("UPDATE runs SET record = '{' WHERE id = 'run-1'"))
    assert [s.id for s in store.summaries()] == ["run-2"]
    with pytest.raises(StoreCorrupt, match="run-1"):
        store.load("run-1")


@both
def test_newer_schema_is_refused(store: Store, url: str) -> None:
    with store.database.engine.begin() as connection:
        connection.execute(text("UPDATE forgetting_lab_schema SET version = 99"))
    with pytest.raises(StoreUnavailable, match="newer version"):
        Store(url)


def test_unwritable_folder(store: Store) -> None:
    store.folder.rmdir()
    store.folder.write_text("a file where the folder should be")
    with pytest.raises(StoreUnavailable, match="cannot be saved"):
        store.save(a_run())
    assert store.summaries() == []


# Recovery


def begin_as(store: Store, id: str, **columns: Any) -> None:
    """A run that has begun, in a process of which the row says `columns`."""
    store.begin(a_run(id))
    with store.database.engine.begin() as connection:
        for name, value in columns.items():
            connection.execute(
                text(f"UPDATE runs SET {name} = :value WHERE id = :id"), {"value": value, "id": id}
            )


@both
def test_recover_marks_the_runs_of_dead_processes(store: Store) -> None:
    begin_as(store, "alive")
    begin_as(store, "gone")
    killed(store, "gone")
    begin_as(store, "other-disk", lock_file="not-here.lock")
    begin_as(store, "silent-disk", lock_file="not-here.lock", last_progress=time.time() - 7200)
    begin_as(store, "no-lock", lock_file="")
    begin_as(store, "other-host", host="elsewhere")
    begin_as(store, "silent-host", host="elsewhere", last_progress=time.time() - 7200)
    store.save(a_run("done"))
    store.progress("gone", 12, 40)

    recovered = {s.id: s for s in store.recover()}
    assert set(recovered) == {"gone", "silent-disk", "silent-host"}
    assert recovered["gone"].status == "interrupted"
    assert "step 12 of 40" in recovered["gone"].error
    assert store.load("gone").status == "interrupted"
    left = {s.id for s in store.summaries(statuses=["running"])}
    assert left == {"alive", "other-disk", "no-lock", "other-host"}
    assert store.recover() == []


@both
def test_begun_runs_say_where_they_are(store: Store) -> None:
    store.begin(a_run(steps_done=0, total_steps=0), owner="me")
    store.progress("run-1", 3, 7)
    run = store.load("run-1")
    assert (run.status, run.steps_done, run.total_steps) == ("running", 3, 7)
    assert run.before is None
    assert run.replay == ()
    store.save(a_run())
    assert store.summary("run-1").status == "finished"
    assert store.summary("run-1").owner == "me"


@both
def test_recover_deletes_old_unfinished_files_only(store: Store) -> None:
    store.save(a_run())
    (kept,) = store.folder.iterdir()
    age(kept, 1e6)
    files = {
        name: store.folder / name for name in ("a.123.npz", ".b.npz.1.part", "c.npz", ".d.npz.part")
    }
    for path in files.values():
        path.write_bytes(b"left over")
    age(files["a.123.npz"], 7200)
    age(files[".b.npz.1.part"], 7200)
    store.recover()
    left = {p.name for p in store.folder.iterdir()}
    assert left == {kept.name, "c.npz", ".d.npz.part", "orphans"}
    assert (store.folder / "orphans" / "a.123.npz").read_bytes() == b"left over"


def test_import_is_light() -> None:
    code = (
        "import sys, core.runs.store.store; "
        "print([m for m in ('torch', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_shipped_runs_need_no_database_library() -> None:
    code = "import sys, core.runs.run_files; print('sqlalchemy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# No finished run is lost


def everything_is_old(folder: Path) -> None:
    for path in folder.rglob("*"):
        age(path, 7200)


def many(store: Store, count: int, first: int = 0) -> list[Run]:
    runs = [a_run(f"run-{i}", seed=i) for i in range(first, first + count)]
    for run in runs:
        store.save(run)
    return runs


def test_two_databases_beside_each_other_keep_their_runs(tmp_path: Path) -> None:
    kept = {}
    for name in ("runs.sqlite", "other.sqlite", "other.db"):
        store = Store(f"sqlite:///{tmp_path}/{name}")
        kept[name] = a_run("run-1", seed=len(kept)), store
        store.save(kept[name][0])
    everything_is_old(tmp_path)
    for _, store in kept.values():
        store.recover()
    for run, store in kept.values():
        assert flat(store.load("run-1")) == flat(run)
        store.close()


def test_two_databases_over_one_named_folder_keep_their_runs(tmp_path: Path) -> None:
    stores = [Store(f"sqlite:///{tmp_path}/{name}", tmp_path / "arrays") for name in "ab"]
    runs = [*many(stores[0], 2), *many(stores[1], 2, first=2)]
    everything_is_old(tmp_path / "arrays")
    for store in stores:
        store.recover()
        assert {s.id for s in store.summaries()} == {run.id for run in runs}
        for run in runs:
            assert flat(store.load(run.id)) == flat(run)
        store.close()


def test_setting_and_unsetting_the_database_keeps_every_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORGETTING_LAB_CACHE", str(tmp_path))
    addresses = (None, f"sqlite:///{tmp_path}/mine.sqlite", None)
    for i, address in enumerate(addresses):
        if address:
            monkeypatch.setenv("FORGETTING_LAB_DATABASE", address)
        else:
            monkeypatch.delenv("FORGETTING_LAB_DATABASE", raising=False)
        store = Store()
        store.recover()
        store.save(a_run(f"run-{i}", seed=i))
        everything_is_old(tmp_path)
        store.close()
    store = Store()
    assert {s.id for s in store.summaries()} == {"run-0", "run-2"}
    assert flat(store.load("run-0")) == flat(a_run("run-0", seed=0))
    store.close()
    other = Store(addresses[1])
    assert flat(other.load("run-1")) == flat(a_run("run-1", seed=1))
    other.close()


def test_a_lost_database_file_is_said_and_made_again(url: str, tmp_path: Path) -> None:
    store = Store(url)
    runs = many(store, 3)
    store.close()
    everything_is_old(tmp_path)
    (tmp_path / "lab.sqlite").rename(tmp_path / "elsewhere.sqlite")
    for _ in range(2):  # it stays said until it is mended
        with pytest.raises(StoreCorrupt, match="its file is gone"):
            Store(url)
    anew = reset_aside(url)
    anew.recover()
    for run in runs:
        assert flat(anew.load(run.id)) == flat(run)
    anew.close()


@pytest.mark.parametrize("writes", range(0, 30, 3))
def test_a_reset_that_is_cut_off_can_be_done_again(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    store = Store(url)
    runs = many(store, 4)
    store.close()
    everything_is_old(tmp_path)
    broken(url, "text")

    class Cut(BaseException):
        pass

    done = 0

    def counted(real: Any) -> Any:
        def write(*given: Any, **named: Any) -> Any:
            nonlocal done
            done += 1
            if done > writes:
                raise Cut
            return real(*given, **named)

        return write

    with monkeypatch.context() as patch, contextlib.suppress(Cut):
        patch.setattr(os, "replace", counted(os.replace))
        patch.setattr(DefaultDialect, "do_commit", counted(DefaultDialect.do_commit))
        reset_aside(url).close()
    try:
        store = Store(url)
    except StoreCorrupt:
        store = reset_aside(url)
    store.recover()
    for run in runs:
        assert flat(store.load(run.id)) == flat(run)
    (aside,) = tmp_path.glob("lab.sqlite.broken-*")
    assert aside.read_text().startswith("not a database")
    store.close()


OPENING = """
import sys, time
from core.errors import LabError
from core.runs.store.store import Store
print("ready", flush=True)
end = time.monotonic() + 2.0
while time.monotonic() < end:
    try:
        store = Store(sys.argv[1])
        store.recover()
        store.close()
    except LabError:
        pass
"""


def test_a_reset_beside_openings_keeps_every_run(url: str, tmp_path: Path) -> None:
    store = Store(url)
    runs = many(store, 30)
    store.close()
    everything_is_old(tmp_path)
    broken(url, "text")
    child = subprocess.Popen(
        [sys.executable, "-c", OPENING, url], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    anew = reset_aside(url)
    assert child.wait(60) == 0
    child.communicate()
    for run in runs:
        assert flat(anew.load(run.id)) == flat(run)
    assert len(anew.summaries()) == len(runs)
    anew.close()


def test_a_reset_after_another_one_changes_nothing(url: str, tmp_path: Path) -> None:
    store = Store(url)
    store.save(a_run())
    store.begin(a_run("at-work"))
    store.close()
    anew = reset_aside(url)
    assert {s.id for s in anew.summaries()} == {"run-1", "at-work"}
    assert not list(tmp_path.glob("*.broken-*"))
    anew.close()


def test_the_lock_is_waited_for_only_so_long(
    url: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(array_files, "LOCK_SECONDS", 0.1)
    with (
        FileLock(store.folder.with_name(f"{store.folder.name}.lock")),
        pytest.raises(StoreUnavailable, match=r"in order. Try again"),
    ):
        Store(url)


@both
def test_a_file_without_a_row_is_entered_again_once_it_is_old(store: Store) -> None:
    run = a_run("found")
    store.save(run)
    with store.database.engine.begin() as connection:
        connection.execute(text("DELETE FROM runs"))
    (path,) = store.folder.glob("*.npz")
    store.recover()
    assert path.exists()
    assert store.summaries() == []  # it may be about to get its row
    age(path, 7200)
    store.recover()
    assert flat(store.load("found")) == flat(run)


@both
def test_a_process_that_died_before_the_row_has_lost_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_as(store, "run-1")
    killed(store, "run-1")

    def refuse(*_: Any) -> None:
        raise StoreUnavailable("The database is full.")

    with monkeypatch.context() as patch:
        patch.setattr(store._recovery, "put", refuse)
        with pytest.raises(StoreUnavailable):
            store.save(a_run())
    assert store.recover() == []
    assert flat(store.load("run-1")) == flat(a_run())


def test_a_file_that_was_saved_anew_goes_to_the_orphans(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save(a_run(seed=1))
    with monkeypatch.context() as patch:
        patch.setattr(store._recovery, "unlink", lambda files: True)  # killed before it was deleted
        store.save(a_run(seed=2))
    everything_is_old(store.folder)
    store.recover()
    assert flat(store.load("run-1")) == flat(a_run(seed=2))
    assert len(list(store.folder.glob("*.npz"))) == 1
    assert len(list((store.folder / "orphans").glob("*.npz"))) == 1


@both
@pytest.mark.parametrize("at", ["first", "between"])
def test_a_deletion_that_is_cut_off_never_brings_the_run_back(
    store: Store, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    store.save(a_run())

    def cut(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", cut)
        with pytest.raises(KeyboardInterrupt):
            store.delete("run-1")
    if at == "between":
        next(store.folder.glob("*.npz")).unlink()
    for look in (store.load, store.summary, store.delete):
        with pytest.raises(RunMissing):
            look("run-1")
    assert store.summaries() == []
    assert store.count() == 0
    everything_is_old(store.folder)
    store.recover()
    assert store.summaries() == []
    assert not list(store.folder.iterdir())


def test_a_deleted_run_whose_file_cannot_be_removed_stays_deleted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save(a_run())
    with store.database.engine.begin() as connection:  # as of a run that was deleted while it ran
        connection.execute(text("UPDATE runs SET arrays_file = ''"))

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "not yours")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        store.delete("run-1")
        everything_is_old(store.folder)
        store.recover()
        assert store.summaries() == []
    store.recover()
    assert not list(store.folder.iterdir())


# The layout of older versions


def test_an_older_database_finds_its_arrays_in_the_common_folder(tmp_path: Path) -> None:
    names = ("runs.sqlite", "lab.sqlite")
    older = [Store(f"sqlite:///{tmp_path}/{name}", tmp_path / "runs") for name in names]
    for i, store in enumerate(older):
        store.save(a_run(f"run-{i}", seed=i))
        store.close()
    everything_is_old(tmp_path / "runs")
    for i, name in enumerate(names):
        store = Store(f"sqlite:///{tmp_path}/{name}")
        store.recover()
        assert flat(store.load(f"run-{i}")) == flat(a_run(f"run-{i}", seed=i))
        store.delete(f"run-{i}")
        store.close()
    # What one database deleted is still there for the other.
    assert len(list((tmp_path / "runs").glob("*.npz"))) == 1


def test_an_older_damaged_database_is_made_again_from_the_common_folder(
    tmp_path: Path, url: str
) -> None:
    store = Store(url, tmp_path / "runs")
    runs = many(store, 3)
    store.close()
    broken(url, "text")
    anew = reset_aside(url)
    for run in runs:
        assert flat(anew.load(run.id)) == flat(run)
    assert len(list((tmp_path / "runs").glob("*.npz"))) == 3
    anew.close()


def test_other_databases_have_a_folder_each_without_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORGETTING_LAB_CACHE", str(tmp_path))

    def folder(address: str) -> Path:
        return addresses.array_folder_of(addresses.address_of(address), None)

    first = folder("postgresql+psycopg://me:secret@host/lab")
    assert first.parent == tmp_path
    assert first == folder("postgresql://me:changed@host/lab?connect_timeout=5")
    assert first == folder("postgres://me@host/lab")  # as hosts hand them out
    others = (
        "postgresql://me@host/other",
        "mysql://me@host/lab",
        "postgresql://me@/lab?host=/run/one",
        "postgresql://me@/lab?host=/run/two",
    )
    assert len({first, *map(folder, others)}) == 5


# Files that cannot be read


@pytest.mark.parametrize("damage", ["flipped", "cut", "text", "other run", "no record"])
def test_one_damaged_array_file_stops_no_rebuild(url: str, tmp_path: Path, damage: str) -> None:
    store = Store(url)
    runs = many(store, 3)
    bad = next(store.folder.glob("run-1.*"))
    content = bad.read_bytes()
    if damage == "flipped":  # in the compressed bytes: zlib.error
        middle = len(content) // 3
        content = content[:middle] + bytes(50) + content[middle + 50 :]
    elif damage == "cut":
        content = content[:1000]
    elif damage == "text":
        content = b"no array file"
    elif damage == "other run":
        content = next(store.folder.glob("run-0.*")).read_bytes()
    else:
        buffer = io.BytesIO()
        np.savez(buffer, record=np.frombuffer(b"[1, 2]", dtype=np.uint8))
        content = buffer.getvalue()
    bad.unlink()
    if damage in ("other run", "no record"):  # with the right checksum in its name
        bad = bad.with_name(f"run-1.{hashlib.sha256(content).hexdigest()[:12]}.npz")
    bad.write_bytes(content)
    store.close()
    broken(url, "text")
    everything_is_old(tmp_path)

    anew = reset_aside(url)
    assert {s.id for s in anew.summaries()} == {"run-0", "run-2"}
    kept = anew.folder / "orphans" / bad.name
    assert kept.read_bytes() == content
    assert anew.notes == [f"1 array file could not be read and was kept as orphans/{bad.name}."]
    anew.recover()
    anew.close()
    again = Store(url)
    again.recover()
    assert kept.read_bytes() == content
    for run in (runs[0], runs[2]):
        assert flat(again.load(run.id)) == flat(run)
    again.close()


# Lists of runs


@both
def test_summaries_come_in_pages_and_without_lists(store: Store) -> None:
    for i in range(5):
        store.save(a_run(f"run-{i}", seed=i, status="failed" if i == 3 else "finished"))
    assert [s.id for s in store.summaries(2)] == ["run-4", "run-3"]
    assert [s.id for s in store.summaries(2, 2)] == ["run-2", "run-1"]
    assert [s.id for s in store.summaries(2, statuses=["finished"])] == ["run-4", "run-2"]
    assert (store.count(), store.count(["finished", "partial"])) == (5, 4)
    request = store.summaries(1)[0].plan.request
    assert request.indices == ()
    assert request.describe() == "3 chosen training images"
    assert request == ForgetRequest.of_indices([1, 2, 3]).brief()
    assert request != ForgetRequest.of_indices([1, 2, 4]).brief()


@both
def test_a_table_of_runs_with_long_lists_is_cheap(store: Store) -> None:
    request = ForgetRequest.of_indices(range(25_000))
    for i in range(20):
        run = a_run(f"run-{i}", seed=i)
        store.save(dataclasses.replace(run, plan=dataclasses.replace(run.plan, request=request)))
    tracemalloc.start()
    listed = store.summaries()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(listed) == 20
    assert peak < 2_000_000  # with the lists: 20 MB
    assert store.load("run-3").plan.request == request
    assert store.summary("run-3").plan.request == request


@both
def test_a_row_with_parts_missing_does_not_hide_the_others(store: Store) -> None:
    many(store, 2)
    with store.database.engine.begin() as connection:
        connection.execute(text("""UPDATE runs SET record = '{"plan": {}}' WHERE id = 'run-0'"""))
    assert [s.id for s in store.summaries()] == ["run-1"]
    for look in (store.load, store.summary):
        with pytest.raises(StoreCorrupt, match="run-0"):
            look("run-0")
    assert store.recover() == []


def test_a_reset_takes_no_run_of_another_database(tmp_path: Path) -> None:
    """Also where it never had a run of its own."""
    with contextlib.closing(Store(f"sqlite:///{tmp_path}/runs.sqlite")) as beside:
        beside.save(a_run("theirs"))
    url = f"sqlite:///{tmp_path}/other.sqlite"
    Store(url).close()
    (tmp_path / "other.sqlite").write_bytes(b"no database\n" * 1000)
    with contextlib.closing(reset_aside(url)) as other, pytest.raises(RunMissing):
        other.load("theirs")
