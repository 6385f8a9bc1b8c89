"""A queue that strangers share: budgets, quotas, whose runs are whose, and room on the disk."""

from __future__ import annotations

import dataclasses
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.errors import BadRequest, BadSetting, NotYours, QueueFull, RunCleared, RunMissing
from core.files import cache_folder, networks_folder, requests_folder
from core.runs import brought, room, visitors
from core.runs.admission import Admission, check_plan, network_of
from core.runs.job import Job, hashed
from core.runs.limits import LOCAL, Limits, variable_of
from core.runs.queue import JobQueue
from core.runs.store import array_files
from core.runs.store.access import access_to, share
from core.runs.store.store import Store
from tests.core.test_jobs import PLAN, WAIT, Clock, Steps
from tests.core.test_store import a_run
from tests.databases import both

LIMITS = Limits(
    run_seconds=60, waiting_each=2, waiting_all=4, hour_seconds=100, visitors_an_address=1.5
)


@pytest.fixture
def store(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("FORGETTING_LAB_CACHE", str(tmp_path / "cache"))
    store = Store(url, shipped=tmp_path / "shipped")
    yield store
    store.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def steps() -> Iterator[Steps]:
    steps = Steps()
    yield steps
    steps.let(1000)


@pytest.fixture
def queue(store: Store, steps: Steps, clock: Clock) -> Iterator[JobQueue]:
    queue = JobQueue(store, steps, grace_seconds=1e9, limits=LIMITS, clock=clock)
    yield queue
    steps.let(1000)
    assert queue.join(WAIT)


def test_limits_come_from_the_environment_each_by_its_own_name() -> None:
    for limit in dataclasses.fields(Limits):
        found = Limits.from_environment({variable_of(limit.name): "7"})
        assert found == dataclasses.replace(Limits(), **{limit.name: 7.0})
    for bad in ("many", "-1", "nan"):
        with pytest.raises(BadSetting, match="FORGETTING_LAB_DISK_MB"):
            Limits.from_environment({"FORGETTING_LAB_DISK_MB": bad})
    assert math.isinf(LOCAL.run_seconds)


def test_several_plans_are_queued_all_or_none(queue: JobQueue, steps: Steps) -> None:
    jobs = queue.submit_all([PLAN, PLAN, PLAN], "me")  # one starts at once, two may wait
    steps.let(1)
    steps.reached(jobs[0], 1)
    assert queue.under_way() == jobs
    assert [queue.queue_position(job.id) for job in jobs] == [0, 1, 2]
    with pytest.raises(QueueFull, match="You have 2 runs waiting"):
        queue.submit_all([PLAN, PLAN], "me")
    with pytest.raises(QueueFull, match="Of these 3 runs only 2 would be taken now, so none is"):
        queue.submit_all([PLAN, PLAN, PLAN], "another")
    assert queue.under_way() == jobs


def test_a_run_is_stopped_when_its_time_is_over_and_kept_as_partial(
    queue: JobQueue, steps: Steps, clock: Clock, store: Store
) -> None:
    job = queue.submit(PLAN, "me")
    steps.let(2)
    steps.reached(job, 2)
    clock.now = 60
    steps.let(1)
    steps.reached(job, 3)
    assert not job.stopping
    clock.now = 61
    steps.let(1)
    assert queue.join(WAIT)
    assert job.state == "partial"
    assert "Stopped after 60 s, as long as a run may take here." in job.error
    assert (store.summary(job.id).status, store.summary(job.id).steps_done) == ("partial", 3)


def test_waiting_is_limited_for_each_for_a_network_and_in_all(
    queue: JobQueue, steps: Steps
) -> None:
    first = queue.submit(PLAN, "runs", address="10.0.0.1")
    steps.reached(first, 0)
    for _ in range(2):
        queue.submit(PLAN, "me", address="10.0.0.2")
    with pytest.raises(QueueFull, match="You have 2 runs waiting"):
        queue.submit(PLAN, "me", address="10.9.9.9")
    # A cookie that was thrown away makes a new visitor, but no new network.
    queue.submit(PLAN, "me without my cookie", address="10.0.0.2")
    with pytest.raises(QueueFull, match="Your network has 3 runs waiting"):
        queue.submit(PLAN, "me without my cookie again", address="10.0.0.2")
    queue.submit(PLAN, "somebody", address="10.0.0.3")
    with pytest.raises(QueueFull, match="4 runs waiting in all"):
        queue.submit(PLAN, "another", address="10.0.0.4")


def spent(admission: Admission, clock: Clock, token: str, seconds: float, address: str) -> None:
    job = Job("x", PLAN, hashed(token))
    job.address, job.started = address, clock.now
    clock.now += seconds
    admission.note(job)


def asks(token: str, address: str = "") -> Job:
    job = Job("y", PLAN, hashed(token))
    job.address = address
    return job


def test_an_hour_of_a_visitor_has_so_many_seconds_and_comes_back(clock: Clock) -> None:
    admission = Admission(LIMITS, clock)
    spent(admission, clock, "me", 60, "home")
    admission.check(asks("me", "home"), [], None)
    spent(admission, clock, "me", 50, "home")
    with pytest.raises(QueueFull, match=r"You have used the 2 min .* can start in 60 min\."):
        admission.check(asks("me", "elsewhere"), [], None)  # known by the cookie
    admission.check(asks("new cookie", "home"), [], None)  # 110 of 150 seconds
    spent(admission, clock, "new cookie", 45, "home")
    with pytest.raises(QueueFull, match="Visitors from your network"):
        admission.check(asks("newest cookie", "home"), [], None)
    admission.check(asks("somebody", "elsewhere"), [], None)
    admission.check(asks("somebody"), [], None)  # no address is known
    clock.now = 60 + 3601  # the first run is an hour ago
    admission.check(asks("me", "home"), [], None)


def test_what_runs_now_counts_too(clock: Clock) -> None:
    admission = Admission(LIMITS, clock)
    running = asks("me")
    clock.now = 99
    admission.check(asks("me"), [], running)
    clock.now = 100
    with pytest.raises(QueueFull):
        admission.check(asks("me"), [], running)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (None, ""),
        ("unix:", ""),
    ],
)
def test_networks(address: str | None, network: str) -> None:
    assert network_of(address) == network


def test_no_long_retraining_and_no_weights_from_outside() -> None:
    retrain = dataclasses.replace(PLAN, method="retrain", settings={})
    with pytest.raises(BadRequest, match=r"took 11 min, and this server retrains none .* 5 min"):
        check_plan(dataclasses.replace(retrain, dataset="cifar10"), Limits())
    check_plan(retrain, Limits())  # digits: under a minute
    weights = dataclasses.replace(PLAN, method=brought.NAME, settings={})
    with pytest.raises(BadRequest, match="no weights from outside"):
        check_plan(weights, Limits())
    for plan in (retrain, weights):
        check_plan(plan, LOCAL)


@both
def test_a_run_is_its_visitors_until_its_link_is_shared(queue: JobQueue, store: Store) -> None:
    store.save(a_run("mine"), hashed("me"))
    store.save(a_run("from-a-shell"))
    visitors.check_seen(queue, "mine", "me")
    for id, token in (("mine", "you"), ("mine", ""), ("from-a-shell", ""), ("nowhere", "me")):
        with pytest.raises(RunMissing, match="here, or it is private"):
            visitors.check_seen(queue, id, token)
    for change in (
        lambda: visitors.set_shared(queue, "mine", "you", True),
        lambda: visitors.delete(queue, "mine", "you"),
        lambda: visitors.delete(queue, "from-a-shell", ""),
        lambda: visitors.set_shared(queue, "nowhere", "me", True),
    ):
        with pytest.raises(NotYours):
            change()
    visitors.set_shared(queue, "mine", "me", True)
    visitors.check_seen(queue, "mine", "you")
    with pytest.raises(NotYours):
        visitors.delete(queue, "mine", "you")
    visitors.set_shared(queue, "mine", "me", False)
    with pytest.raises(RunMissing):
        visitors.check_seen(queue, "mine", "you")
    visitors.set_shared(queue, "mine", "me", True)
    visitors.delete(queue, "mine", "me")
    assert access_to(store, "mine") is None
    store.save(a_run("mine"), hashed("me"))  # under an id that was there before
    assert access_to(store, "mine").shared == 0


def test_a_job_is_private_before_the_store_knows_it(queue: JobQueue, steps: Steps) -> None:
    first, second = queue.submit(PLAN, "me"), queue.submit(PLAN, "me")
    steps.reached(first, 0)
    for job in (first, second):
        visitors.check_seen(queue, job.id, "me")
        with pytest.raises(RunMissing):
            visitors.check_seen(queue, job.id, "you")
        with pytest.raises(BadRequest, match="has not ended"):
            visitors.delete(queue, job.id, "me")
    steps.let(20)
    assert queue.join(WAIT)
    visitors.delete(queue, first.id, "me")
    with pytest.raises(RunMissing):
        queue.get(first.id)


def test_a_list_of_ones_own_runs_reads_no_others(store: Store, monkeypatch: Any) -> None:
    for i in range(20):
        store.save(a_run(f"theirs-{i}", seed=i), hashed("them"))
    store.save(a_run("mine"), hashed("me"))
    from core.runs.store.tables import Row

    read: list[str] = []
    real = Row.summary
    monkeypatch.setattr(Row, "summary", lambda row, *a: read.append(row.id) or real(row, *a))
    assert [run.id for run in store.summaries(owner=hashed("me"))] == ["mine"]
    assert read == ["mine"]
    assert (store.count(owner=hashed("me")), store.count()) == (1, 21)
    with store.database.engine.connect() as connection:
        how = connection.exec_driver_sql("EXPLAIN QUERY PLAN SELECT * FROM runs WHERE owner = 'x'")
        assert "ix_runs_owner" in str(how.all())


def kept(store: Store, id: str, days: float, owner: str = "them") -> int:
    """Saves a run as it was so long ago; the size of its array file in bytes."""
    store.save(a_run(id), hashed(owner) if owner else "")
    (file,) = array_files.listed(store.folder, id)
    then = time.time() - 86400 * days
    os.utime(file.path, (then, then))
    return file.path.stat().st_size


def quota(**limits: float) -> Limits:
    return Limits(**{"shared_days": 30.0, **limits})


@both
def test_the_oldest_unshared_run_goes_first_and_says_so(store: Store) -> None:
    size = max(kept(store, id, days) for id, days in (("a", 3), ("b", 2), ("c", 1), ("d", 0)))
    kept(store, "hosts", 900, owner="")
    share(store, "a")
    assert room.make_room(store, quota(disk_mb=2.5 * size / 1e6))
    assert {run.id for run in store.summaries()} == {"a", "d", "hosts"}
    for id in ("b", "c"):
        with pytest.raises(RunCleared, match=f"Run {id} was here, and was cleared"):
            store.load(id)
        assert not array_files.listed(store.folder, id)
    store.recover()
    assert {run.id for run in store.summaries()} == {"a", "d", "hosts"}
    assert store.load("a").after is not None
    assert room.make_room(store, LOCAL)


def test_a_shared_run_stays_so_many_days(store: Store) -> None:
    size = kept(store, "old", 50)
    share(store, "old")
    assert not room.make_room(store, quota(disk_mb=size / 2e6))  # shared a moment ago
    assert store.load("old").after is not None
    assert room.make_room(store, quota(disk_mb=size / 2e6, shared_days=0))
    with pytest.raises(RunCleared):
        store.summary("old")


@both
def test_a_clearing_that_is_cut_off_goes_on_at_the_next_start(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(store, "a", 9)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "finish_removal", lambda *_: None)
        room.make_room(store, quota(disk_mb=0))
    assert array_files.listed(store.folder, "a")
    store.recover()
    assert not array_files.listed(store.folder, "a")
    with pytest.raises(RunCleared):
        store.load("a")


def a_network(id: str, days: float) -> Path:
    """As a run left it so long ago."""
    folder = networks_folder() / id
    folder.mkdir(parents=True)
    for name in ("unlearned.safetensors", "unlearned.json"):
        (folder / name).write_bytes(bytes(500_000))
    then = time.time() - 86400 * days
    os.utime(folder, (then, then))
    return folder


def test_networks_that_runs_left_count_and_go_before_runs_of_their_age(store: Store) -> None:
    size = kept(store, "old", 9) + kept(store, "new", 1)
    old, new = a_network("old", 9), a_network("new", 1)
    assert room.make_room(store, quota(disk_mb=2.5))
    assert old.exists()
    assert room.make_room(store, quota(disk_mb=1 + 1.5 * size / 1e6))
    assert [folder.exists() for folder in (old, new)] == [False, True]
    assert {run.id for run in store.summaries()} == {"old", "new"}


@both
def test_a_run_that_goes_takes_its_network_along(store: Store) -> None:
    for id in ("mine", "other", "cleared"):
        kept(store, id, 1)
    mine, other, cleared = (a_network(id, 1) for id in ("mine", "other", "cleared"))
    store.delete("mine")
    room.clear(store, "cleared")
    assert [folder.exists() for folder in (mine, other, cleared)] == [False, True, False]


@pytest.mark.parametrize("id", ["..", ".", "one/.."])
def test_an_id_that_is_a_path_takes_nothing_along(store: Store, id: str) -> None:
    network, scores = a_network("one", 1), cache_folder() / "scores"
    scores.write_text("of all")
    store._recovery.finish_removal(id)
    assert network.exists()
    assert scores.exists()


def test_networks_that_runs_retrained_go_with_what_was_measured_of_them(store: Store) -> None:
    models, outcomes = cache_folder() / "models" / "compact-digits", cache_folder() / "outcomes"
    models.mkdir(parents=True)
    outcomes.mkdir()
    for name, said in (("retrained-run", ', "kept_from": "run"'), ("retrained-host", "")):
        sha256 = name[-3:] * 22
        (models / f"{name}.safetensors").write_bytes(bytes(1000))
        (models / f"{name}.json").write_text(f'{{"sha256": "{sha256}"{said}}}')
        (outcomes / f"outcome-{sha256[:16]}-{'0' * 16}.npz").write_bytes(bytes(100))
    (models / "retrained-torn.json").write_text("{")
    assert room.make_room(store, quota(disk_mb=0.0001))
    left = sorted(path.name for path in models.iterdir())
    assert left == ["retrained-host.json", "retrained-host.safetensors", "retrained-torn.json"]
    assert len(list(outcomes.iterdir())) == 1


def test_choices_go_by_when_they_were_last_opened(store: Store) -> None:
    requests_folder().mkdir(parents=True)
    for i, days in enumerate((5, 9, 1)):
        file = requests_folder() / f"{i:016x}.json"
        file.write_bytes(bytes(1000))
        os.utime(file, (time.time() - 86400 * days,) * 2)
    room.make_room_for_choices(quota(choices_mb=0.002))
    assert sorted(int(path.stem) for path in requests_folder().iterdir()) == [0, 2]


def test_a_queue_without_room_takes_no_run(
    queue: JobQueue, steps: Steps, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.runs.queue.make_room", lambda *_: False)
    queue.submit(PLAN, "me")
    steps.let(20)
    assert queue.join(WAIT)
    deadline = time.monotonic() + WAIT
    while not queue._admission.full and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(QueueFull, match="no room for another run"):
        queue.submit(PLAN, "me")
    monkeypatch.setattr("core.runs.queue.make_room", lambda *_: True)  # somebody has deleted a run
    queue.submit(PLAN, "me")
