"""Many plans at once: a grid of methods, requests, seeds and settings, from a TOML file.

Each plan has a name of its own, made from what it says, which is the id of its run: what is
finished in the store is not run again, so that a sweep that was broken off goes on where it was,
and none is ever there twice. Workers only compute; this process alone writes to the store, so that
they may stand on machines that share nothing with it but the code and the data.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import json
import os
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError

from core.data.request_text import parse_request
from core.errors import BadRequest, LabError, short
from core.runs.plan import Plan
from core.runs.record import reason_of, record
from core.runs.run import Run
from core.runs.store.store import Store

RESTARTS = 3
"""How often in a row a pool may lose a process without one plan more being done."""
PATIENCE = 10.0
"""Seconds that a Dask scheduler may take to answer."""
FIELDS = ("model", "dataset", "methods", "requests", "seeds", "forget_seeds", "settings")


@dataclass(frozen=True)
class SweepProgress:
    """One plan done. done, total: of all plans, those that an earlier sweep did included. seconds:
    of this sweep. remaining: estimated seconds left."""

    run: Run
    done: int
    total: int
    seconds: float
    remaining: float


def read_sweep(file: Path) -> list[Plan]:
    """The plans of a TOML file. Raises BadRequest.

    model, dataset: names. methods, requests, seeds, forget_seeds: lists, every one with every
    other. settings.METHOD: the method's settings; where one is a list, every value with every
    other. Requests are written as on the shell.
    """
    try:
        with file.open("rb") as content:
            grid = tomllib.load(content)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise BadRequest(f"The sweep {file.name} cannot be read: {why}.") from error
    if unknown := sorted(set(grid) - set(FIELDS)):
        raise BadRequest(
            f"A sweep has no {short(unknown[0])}.", f"It can have {', '.join(FIELDS)}."
        )
    lists = {name: grid.get(name, [0]) for name in ("methods", "requests", "seeds", "forget_seeds")}
    for name, values in lists.items():
        kind = str if name in ("methods", "requests") else int
        if not isinstance(values, list) or not values or {type(v) for v in values} != {kind}:
            what = "names" if kind is str else "whole numbers"
            raise BadRequest(f"The sweep needs {name}: a list of {what}.")
    settings = grid.get("settings", {})
    if not isinstance(settings, dict) or not all(isinstance(v, dict) for v in settings.values()):
        raise BadRequest("The settings of a sweep stand under the name of their method.")
    if unused := sorted(set(settings) - set(lists["methods"])):
        raise BadRequest(f"There are settings for {short(unused[0])}, which is no method here.")
    plans = [
        Plan(
            model=str(grid.get("model", "compact")),
            dataset=str(grid.get("dataset", "cifar10")),
            request=parse_request(request, forget_seed),
            method=method,
            settings=combination,
            seed=seed,
        )
        for method, request, forget_seed in itertools.product(
            lists["methods"], lists["requests"], lists["forget_seeds"]
        )
        for combination in _combinations(settings.get(method, {}))
        for seed in lists["seeds"]
    ]
    return list({run_id(plan): plan for plan in plans}.values())


def _combinations(settings: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Each combination of the values that stand in lists."""
    values = [v if isinstance(v, list) else [v] for v in settings.values()]
    for combination in itertools.product(*values):
        yield dict(zip(settings, combination, strict=True))


def run_id(plan: Plan) -> str:
    """The id of a plan's run in a sweep."""
    text = json.dumps(plan.to_dict(), sort_keys=True)
    return f"sweep-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def to_do(plans: Sequence[Plan], store: Store) -> list[Plan]:
    """The plans of which the store has no finished run."""
    finished = {summary.id for summary in store.summaries(statuses=["finished"])}
    return [plan for plan in plans if run_id(plan) not in finished]


def sweep(
    plans: Sequence[Plan],
    store: Store,
    *,
    folder: Path | None = None,
    processes: int | None = None,
    dask: str = "",
    work: Callable[[Plan, Path | None], Run] | None = None,
) -> Iterator[SweepProgress]:
    """Runs what is left of these plans, several at a time; yields as each is in the store.

    folder: of the images, None for the usual places. processes: on this machine, one for each core
    by default, each with its share of the cores. dask: the address of a scheduler
    ("tcp://host:8786"), whose workers are used instead; they need the same code and data. The plans
    of a worker that dies are run again. Raises BadRequest where Dask is not installed, LabError
    where workers keep dying.
    """
    pending, started, losses = to_do(plans, store), time.monotonic(), 0
    total, planned = len(plans), len(pending)
    while pending:
        before = len(pending)
        try:
            for run in _computed(pending, folder, processes, dask, work or compute):
                recorded = _recorded(run, store)
                pending = [plan for plan in pending if run_id(plan) != run.id]
                seconds = time.monotonic() - started
                pace = seconds / (planned - len(pending))
                yield SweepProgress(
                    recorded, total - len(pending), total, seconds, pace * len(pending)
                )
        except TerminatedWorkerError as error:
            losses = losses + 1 if len(pending) == before else 0
            if losses >= RESTARTS:
                raise LabError(
                    "The processes of this sweep keep dying.",
                    "They may need more memory: use fewer with --processes.",
                ) from error


def compute(plan: Plan, folder: Path | None) -> Run:
    """A plan's run, computed here; a failed one where that raises. In a worker."""
    from core.runs.task import prepare  # imports torch, which takes seconds

    run = Run.begun(run_id(plan), plan)
    try:
        for item in prepare(plan, folder=folder).run(run_id=run.id):
            if isinstance(item, Run):
                run = item
    except Exception as error:  # whatever it is, the other plans go on
        return dataclasses.replace(run, status="failed", error=reason_of(error))
    return run


def _computed(
    plans: Sequence[Plan],
    folder: Path | None,
    processes: int | None,
    dask: str,
    work: Callable[[Plan, Path | None], Run],
) -> Iterator[Run]:
    """Runs as they come, in any order."""
    cores = os.cpu_count() or 1
    processes = min(processes or cores, len(plans))
    with contextlib.ExitStack() as stack:
        if dask:
            stack.enter_context(_cluster(dask))
            parallel = joblib.Parallel(return_as="generator_unordered", pre_dispatch="all")
        else:
            threads = max(1, cores // processes)
            stack.enter_context(joblib.parallel_config("loky", inner_max_num_threads=threads))
            parallel = joblib.Parallel(processes, return_as="generator_unordered")
        yield from parallel(joblib.delayed(_sequentially)(work, plan, folder) for plan in plans)


def _sequentially(work: Callable[[Plan, Path | None], Run], plan: Plan, folder: Path | None) -> Run:
    """In a worker, whose libraries must not hand work on to other workers."""
    with joblib.parallel_config("sequential"):
        return work(plan, folder)


@contextlib.contextmanager
def _cluster(address: str) -> Iterator[None]:
    """Joblib's work goes to the workers of a Dask scheduler."""
    try:
        from distributed import Client
    except ImportError as error:
        raise BadRequest(
            "A sweep over a cluster needs Dask.", "Install it: pip install distributed"
        ) from error
    try:
        client = Client(address, timeout=PATIENCE)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TimeoutError) as error:
        raise BadRequest(f"No Dask scheduler answers at {short(address)}.") from error
    with client, joblib.parallel_config("dask"):
        yield


def _recorded(run: Run, store: Store) -> Run:
    """Records a run that a worker has computed, as every run is recorded."""
    *_, last = record(run.plan, store, id=run.id, runner=lambda plan, **_: iter([run]))
    assert isinstance(last, Run)
    return last
