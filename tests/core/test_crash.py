"""kill -9 while runs are written: the next start finds nothing corrupt and says what was lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from core.runs.queue import JobQueue
from core.runs.store.store import Store

KILLS = 8

# Saves runs of growing size without end, says on stdout what is committed.
SAVING = """
import dataclasses, sys
from core.runs.store.store import Store
from tests.core.test_store import a_run, an_evaluation
import numpy as np
store, tag = Store(sys.argv[1]), sys.argv[2]
draw = np.random.default_rng(0)
print("ready", flush=True)
for i in range(100_000):
    run = a_run(f"{tag}-{i % 40}", seed=i, after=an_evaluation(draw, 50 + 997 * i % 20_000))
    store.begin(run)
    store.progress(run.id, i, i + 10)
    store.save(run)
    print(run.id, flush=True)
"""

# A job that never ends.
RUNNING = """
import sys, time
from core.runs.queue import JobQueue
from core.runs.store.store import Store
from tests.core.test_jobs import PLAN, snapshot
def runner(plan, *, folder, stop, run_id):
    for step in range(100_000):
        yield snapshot(step, 100_000, probe=step % 10 == 0)
        if step == 3:
            print(run_id, flush=True)
        time.sleep(0.02)
now = iter(range(10**9))
queue = JobQueue(Store(sys.argv[1]), runner, grace_seconds=1e9, clock=lambda: next(now))
job = queue.submit(PLAN, "me")
queue.submit(PLAN, "me")
time.sleep(600)
"""


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    root = str(Path(__file__).resolve().parents[2])
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": root},
    )


def kill(child: subprocess.Popen[str]) -> str:
    """Kills at once, and returns what it had said until then."""
    child.send_signal(signal.SIGKILL)
    said, _ = child.communicate()
    assert child.returncode == -signal.SIGKILL
    return said


def test_kill_while_saving(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/lab.sqlite"
    delays = random.Random(0)
    interrupted = 0
    for attempt in range(KILLS):
        child = start(SAVING, url, f"t{attempt}")
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        first = [child.stdout.readline().strip() for _ in range(attempt % 3)]
        time.sleep(delays.uniform(0, 0.2))
        committed = {*first, *kill(child).split("\n")[:-1]}  # what follows the last is cut off

        store = Store(url)
        recovered = store.recover()
        assert len(recovered) <= 1  # the one in work
        interrupted += len(recovered)
        listed = {summary.id: summary for summary in store.summaries()}
        # One that was saved may have been begun again since; then it is the one in work.
        assert committed <= set(listed)
        for id, summary in listed.items():
            run = store.load(id)
            assert run.status == summary.status
            assert run.status == "finished" or (run.status == "interrupted" and run.error)
            assert run.status == "interrupted" or run.after is not None
        assert store.recover() == []
        for path in store.folder.glob("*"):  # what was left over goes once it is old
            os.utime(path, (0, 0))
        store.recover()
        assert len(list(store.folder.glob("*"))) <= len(listed)
        for id in listed:
            store.load(id)
        store.close()
    assert interrupted  # the delays did hit the middle of a run


def test_kill_while_a_job_runs(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/lab.sqlite"
    child = start(RUNNING, url)
    assert child.stdout is not None
    id = child.stdout.readline().strip()
    kill(child)

    store = Store(url)
    queue = JobQueue(store)
    assert [summary.id for summary in queue.recovered] == [id]
    job = queue.get(id)
    assert job.state == "failed"
    assert "ended before the run was saved" in job.error
    assert "of 100,000" in job.error
    store.close()
