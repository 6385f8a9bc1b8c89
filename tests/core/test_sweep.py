"""Sweeps: every plan once, whatever is broken off or killed on the way."""

from __future__ import annotations

import functools
import os
import signal
import time
from pathlib import Path

import pytest

from core.data.requests import ForgetRequest
from core.errors import BadRequest
from core.runs.plan import Plan
from core.runs.run import Run
from core.runs.store.store import Store
from core.runs.sweep import compute, read_sweep, run_id, sweep, to_do
from tests.app import fakes

GRID = """
dataset = "digits"
methods = ["neg_grad", "fine_tune", "random_labels"]
requests = ["random:0.1", "class:3"]
seeds = [0, 1]

[settings.neg_grad]
epochs = 0.1

[settings.fine_tune]
epochs = 0.1

[settings.random_labels]
epochs = 1
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path}/runs.sqlite", shipped=tmp_path)


@pytest.fixture
def plans(tmp_path: Path) -> list[Plan]:
    file = tmp_path / "grid.toml"
    file.write_text(GRID)
    return read_sweep(file)


def pretended(plan: Plan, folder: Path | None, *, marker: Path | None = None) -> Run:
    """Work in no time. marker: the first to come dies, and leaves this file."""
    if marker is not None:
        try:
            marker.touch(exist_ok=False)
        except FileExistsError:
            pass
        else:
            os.kill(os.getpid(), signal.SIGKILL)
    return fakes.run(run_id(plan), plan)


# What a file says


def test_every_one_with_every_other(tmp_path: Path, plans: list[Plan]) -> None:
    assert len(plans) == len({run_id(plan) for plan in plans}) == 12
    assert {plan.method for plan in plans} == {"neg_grad", "fine_tune", "random_labels"}
    assert {plan.seed for plan in plans} == {0, 1}
    assert {plan.settings["epochs"] for plan in plans if plan.method == "fine_tune"} == {0.1}
    assert all(plan.dataset == "digits" and plan.model == "compact" for plan in plans)
    file = tmp_path / "grid.toml"
    file.write_text(
        'methods = ["fine_tune"]\nrequests = ["random:0.1"]\nforget_seeds = [0, 1]\n'
        "[settings.fine_tune]\nepochs = [0.1, 0.2]\nlearning_rate = [0.1, 0.2]\n"
    )
    found = read_sweep(file)
    assert len(found) == 8
    assert found[0].settings == {"epochs": 0.1, "learning_rate": 0.1}
    assert found[-1].request == ForgetRequest.random(0.1, seed=1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("methods = [", "cannot be read"),
        ('requests = ["random:0.1"]', "needs methods"),
        ('methods = "fine_tune"\nrequests = ["random:0.1"]', "needs methods"),
        ('methods = ["fine_tune"]\nrequests = []', "needs requests"),
        ('methods = ["fine_tune"]\nrequests = ["all"]', "cannot be read"),
        ('methods = ["fine_tune"]\nrequests = ["random:0.1"]\nseeds = [0.5]', "needs seeds"),
        ('method = ["fine_tune"]\nrequests = ["random:0.1"]', "has no 'method'"),
        ('methods = ["fine_tune"]\nrequests = ["random:0.1"]\nsettings = 3', "under the name"),
        (
            'methods = ["fine_tune"]\nrequests = ["random:0.1"]\n[settings.salun]\nepochs = 1',
            "no method here",
        ),
    ],
)
def test_a_file_that_is_no_sweep(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "grid.toml"
    file.write_text(text)
    with pytest.raises(BadRequest, match=said):
        read_sweep(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="No such file"):
        read_sweep(tmp_path / "none.toml")


# Every plan once


def test_all_are_run_and_none_again(store: Store, plans: list[Plan]) -> None:
    seen = list(sweep(plans, store, processes=2, work=pretended))
    assert [progress.done for progress in seen] == list(range(1, 13))
    assert {progress.total for progress in seen} == {12}
    assert seen[-1].remaining == 0
    assert store.count() == store.count(["finished"]) == 12
    assert list(sweep(plans, store, work=pretended)) == []


def test_broken_off_and_gone_on_with(store: Store, plans: list[Plan]) -> None:
    for progress in sweep(plans, store, processes=1, work=pretended):
        if progress.done == 5:
            break
    assert store.count() == 5
    assert len(to_do(plans, store)) == 7
    assert [progress.done for progress in sweep(plans, store, work=pretended)] == list(range(6, 13))
    assert store.count() == 12


def test_a_killed_process_costs_no_plan(tmp_path: Path, store: Store, plans: list[Plan]) -> None:
    work = functools.partial(pretended, marker=tmp_path / "died")
    list(sweep(plans, store, processes=2, work=work))
    assert (tmp_path / "died").exists()
    assert store.count() == store.count(["finished"]) == 12


def test_a_plan_that_cannot_be_run_is_kept_as_failed(store: Store) -> None:
    plan = Plan("compact", "digits", ForgetRequest.random(0.1), "nothing")
    (progress,) = sweep([plan], store, processes=1)
    assert progress.run.status == "failed"
    assert "no method 'nothing'" in store.load(run_id(plan)).error
    assert to_do([plan], store) == [plan]


def test_an_unforeseen_error_is_a_failed_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("nobody thought of this")

    monkeypatch.setattr("core.runs.task.prepare", broken)
    run = compute(Plan("compact", "digits", ForgetRequest.random(0.1), "fine_tune"), None)
    assert (run.status, run.error) == ("failed", "Something went wrong in this run (ValueError).")


# Over a cluster


def test_no_scheduler_there(
    store: Store, plans: list[Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("core.runs.sweep.PATIENCE", 0.5)
    with pytest.raises(BadRequest, match="No Dask scheduler answers"):
        list(sweep(plans, store, dask="tcp://127.0.0.1:1", work=pretended))


def slowly(plan: Plan, folder: Path | None) -> Run:
    """Work that is under way when its worker is killed."""
    time.sleep(0.5)
    return pretended(plan, folder)


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker(store: Store, plans: list[Plan]) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        first = next(iter(cluster.workers.values()))
        for progress in sweep(plans, store, dask=cluster.scheduler_address, work=slowly):
            if progress.done == 2:
                os.kill(first.process.pid, signal.SIGKILL)
    ids = [summary.id for summary in store.summaries()]
    assert sorted(ids) == sorted(run_id(plan) for plan in plans)
    assert store.count(["finished"]) == 12
    assert list(sweep(plans, store, work=slowly)) == []
