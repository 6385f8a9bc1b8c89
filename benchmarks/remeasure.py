"""How `benchmarks.promises` measures what was promised: each function gives figures by name, and
what several promises need is measured once.

Runs go through the driver of all runs, into a store that is thrown away; seconds are those of an
idle machine, so nothing else runs meanwhile.
"""

from __future__ import annotations

import contextlib
import functools
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import CLASS, RANDOM, app, speed
from benchmarks.sweeps import line_of, retraining_seconds
from core.data.request_text import parse_request
from core.evaluation import evaluate_model
from core.files import SHIPPED
from core.metrics.measures import Evaluation
from core.runs.plan import Plan
from core.runs.record import in_core, record
from core.runs.run import Run, Snapshot
from core.runs.shell.progress import of_unlearning, progress
from core.runs.store.store import Store
from core.runs.task import new_run_id, prepare
from core.unlearners import METHODS

ROOT = Path(__file__).resolve().parent.parent
LINE_SECONDS = 30.0
"""Between two lines of progress, where there is no terminal."""
LOAD = """import sys, time
from core.data.load import load_dataset
clock = time.perf_counter()
load_dataset("cifar10", sys.argv[1])
print(time.perf_counter() - clock)"""

Figures = Mapping[str, float]


@dataclass(frozen=True)
class Machine:
    """data: CIFAR-10's folder. chromium: the browser."""

    data: Path
    chromium: str


@dataclass(frozen=True)
class Measurement:
    """about: minutes on two cores, for the time left."""

    what: str
    about: float
    measure: Callable[[Machine], Figures]


def plan(request: str, method: str, dataset: str = "cifar10") -> Plan:
    """With the method's defaults, seed 0."""
    return Plan("compact", dataset, parse_request(request), method)


@dataclass(frozen=True)
class Timed:
    """A finished run, and the one that carried its first verdict. verdict, whole: seconds from the
    last step until the verdict stood, and until every image was measured."""

    run: Run
    first: Run
    verdict: float
    whole: float


def run(wanted: Plan, data: Path) -> Timed:
    """Runs a plan as the shell does, with its progress. Raises LabError."""
    runner = functools.partial(in_core, folder=data)
    first = last_step = verdict = None
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.closing(Store(f"sqlite:///{folder}/runs.sqlite", shipped=folder)) as store,
        progress(LINE_SECONDS) as show,
    ):
        for item in record(wanted, store, id=new_run_id(), runner=runner):
            if isinstance(item, Snapshot):
                show(of_unlearning(item))
                latest = time.perf_counter()
                if item.phase == "measuring" and last_step is None:
                    last_step = latest
            elif first is None and item.status == "running" and item.after is not None:
                first, verdict = item, time.perf_counter()
    if item.status != "finished" or first is None:
        raise RuntimeError(f"the run ended as {item.status}: {item.error}")
    return Timed(item, first, verdict - last_step, latest - last_step)


def unlearning_seconds(method: str, request: str, about: float) -> Measurement:
    """Of a method's defaults; what is computed once a model, and measuring, not counted."""

    def measure(machine: Machine) -> Figures:
        task = prepare(plan(request, method), folder=machine.data)
        with progress(LINE_SECONDS) as show:
            for item in task.run():
                if isinstance(item, Snapshot):
                    show(of_unlearning(item))
                    if item.phase == "measuring":  # the last step is done; nobody asks what came
                        return {"seconds": item.seconds}
        raise RuntimeError(f"{method} took no step")

    return Measurement(f"the seconds of {method} ({request})", about, measure)


def tree(_: Machine) -> Figures:
    """What is there without a run."""
    size = sum(file.stat().st_size for file in SHIPPED.rglob("*") if file.is_file())
    return {"methods": len(METHODS), "megabytes": size / 1e6}


def second_start(machine: Machine) -> Figures:
    """Seconds that a new process takes for 60,000 images which another has decoded."""
    command = [sys.executable, "-c", LOAD, str(machine.data.resolve())]
    for _ in range(2):
        printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return {"seconds": float(printed.stdout)}


def rates(_: Machine) -> Figures:
    """Training as a fraction of this machine's matrix-multiply rate."""
    return {"training": speed.measure()["training_share_of_sgemm"]}


def screens(machine: Machine) -> Figures:
    """The app in a browser."""
    seen = app.measure(machine.data, chromium=machine.chromium)
    front, peak = float(seen["first_visit_seconds"]), float(seen["peak_resident_mb"])
    return {"front": front, "gigabytes": peak * 2**20 / 1e9}


def base(machine: Machine) -> Figures:
    """The shipped base, every image of it measured again, and what its training would take now."""
    wanted = plan(RANDOM, "retrain")
    task = prepare(wanted, folder=machine.data)
    dataset, parts = task.dataset, task.parts
    found = evaluate_model(task.base.load(task.device), dataset, parts)
    every = len(parts.forget) + len(parts.retain)
    right = sum(
        found.value(f"{name}_accuracy") * len(indices)
        for name, indices in (("forget", parts.forget), ("retain", parts.retain))
    )
    anew = retraining_seconds(wanted, machine.data)
    return {
        "train": 100 * right / every,
        "test": 100 * found.value("test_accuracy"),
        "attack": found.value("mia"),
        "minutes": anew / 60 * every / len(parts.retain),
    }


def tenth(machine: Machine) -> Figures:
    """Fine-tuning forgets a random tenth: what it costs, how far it comes, how long one waits."""
    timed = run(plan(RANDOM, "fine_tune"), machine.data)
    before, after, ideal = timed.run.before, timed.run.after, timed.run.retrained
    first = timed.first.after
    if before is None or after is None or ideal is None or first is None:
        raise RuntimeError("there is no retrained model to compare with")
    spied = [model.value("mia") for model in (before, after, ideal)]
    seconds = timed.run.seconds
    return {
        "left": abs(spied[1] - spied[2]) / abs(spied[0] - spied[2]),
        "drop": 100 * (before.value("test_accuracy") - after.value("test_accuracy")),
        "seconds": seconds["unlearning"],
        "watching": 100 * seconds["watching"] / seconds["unlearning"],
        "verdict": timed.verdict / timed.whole,
        "changed": _changed(first, after),
    }


def _changed(first: Evaluation, full: Evaluation) -> float:
    """How many numbers of the first verdict are not those of the full evaluation."""
    whole = full.metrics()
    known = {name: found for name, found in first.metrics().items() if found and found["n"]}
    return sum(found != whole[name] for name, found in known.items())


def automobile(machine: Machine) -> Figures:
    """Fine-tuning forgets a class: the plain attack, and the fair one against the retrained's."""
    found = run(plan(CLASS, "fine_tune"), machine.data).run
    if found.after is None or found.retrained is None:
        raise RuntimeError("there is no retrained model to compare with")
    fair = "mia_class_matched"
    away = abs(found.after.value(fair) - found.retrained.value(fair))
    return {"plain": found.after.value("mia"), "fair": away}


def nearness(method: str, request: str) -> Measurement:
    """A method's gap to the retrained model in points, and its percent of retraining's time."""

    def measure(machine: Machine) -> Figures:
        wanted = plan(request, method)
        anew = retraining_seconds(wanted, machine.data)
        found = run(wanted, machine.data).run
        gap = line_of(found)["gap"]
        return {"gap": gap, "share": 100 * found.seconds["unlearning"] / anew}

    return Measurement(f"the gap of {method} ({request})", 2.5, measure)


def digits(machine: Machine) -> Figures:
    """Seconds that a live run on the digits takes, all of it."""
    seconds = run(plan(RANDOM, "fine_tune", "digits"), machine.data).run.seconds
    return {"seconds": seconds["unlearning"] + seconds["measuring"]}


def hostile(_: Machine) -> Figures:
    """The bad inputs that tests/hostile tries, as CI runs them, and the seconds for all."""
    alike = ["-q", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", "tests/hostile"]
    command = [sys.executable, "-m", "pytest", *alike]
    clock = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    seconds = time.perf_counter() - clock
    passed = re.search(r"(\d+) passed", done.stdout)
    if done.returncode or passed is None:
        raise RuntimeError((done.stdout or done.stderr).strip().splitlines()[-1])
    return {"inputs": float(passed[1]), "seconds": seconds}


def processor() -> str:
    """Its name."""
    name = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return name[1] if name else "unknown"
