"""What the app costs: start, front page, page and tick times, and peak memory with a running job.

Starts the real server with CIFAR-10 and drives it with a real browser.

    python -m benchmarks.app --data ../shared/data/cifar10
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from benchmarks import RESULTS

ROOT = Path(__file__).resolve().parent.parent
STEP = "Step "
AT_REST = "[data-testid=stApp][data-test-script-state=notRunning]"
DONE = "What this spy cannot see"
WATCH = """async () => {
  const seen = [];
  let last = "";
  const until = performance.now() + 20000;
  while (performance.now() < until) {
    const bar = document.querySelector("[data-testid=stProgress]");
    const text = bar ? bar.innerText : "";
    if (text && text !== last) { seen.push(performance.now()); last = text; }
    await new Promise(done => setTimeout(done, 10));
  }
  return seen;
}"""
"""The moments (ms) at which the progress text changed, watched for 20 s."""


def main() -> None:
    """Measures and writes results/app.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--visits", type=int, default=5)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "FORGETTING_LAB_DATA": str(options.data.resolve()),
        "FORGETTING_LAB_CACHE": tempfile.mkdtemp(prefix="forgetting-lab-"),
    }
    started = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true",
         f"--server.port={port}"],
        cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        found: dict[str, object] = {"server_ready_seconds": round(time.perf_counter() - started, 2)}
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=options.chromium, args=["--no-sandbox"]
            )
            address = f"http://127.0.0.1:{port}"
            visits = [_front_seconds(browser.new_page(), address) for _ in range(options.visits)]
            found["first_visit_seconds"] = round(visits[0], 2)
            found["front_page_seconds_median"] = round(statistics.median(visits), 2)
            found["memory_after_front_page_mb"] = _resident(server.pid, "VmRSS")
            page = browser.new_page()
            for name in ("Choose", "Unlearn", "Compare"):
                clock = time.perf_counter()
                page.goto(f"{address}/{name}?data=cifar10&forget=random:0.1")
                page.wait_for_selector("h1")
                page.locator(AT_REST).wait_for(timeout=300_000)
                found[f"{name.lower()}_page_first_seconds"] = round(time.perf_counter() - clock, 2)
            page.goto(f"{address}/Unlearn?data=cifar10&forget=random:0.1")
            page.get_by_role("button", name="Start forgetting").click()
            page.get_by_text(STEP).first.wait_for(timeout=300_000)
            moments = page.evaluate(WATCH)
            between = [b - a for a, b in itertools.pairwise(moments)]
            found["live_update_seconds_median"] = round(statistics.median(between) / 1000, 2)
            page.get_by_text(DONE).first.wait_for(timeout=600_000)
            found["peak_resident_mb"] = _resident(server.pid, "VmHWM")
            browser.close()
        found["command"] = "python -m benchmarks.app --data ../shared/data/cifar10"
        text = json.dumps(found, indent=2)
        (RESULTS / "app.json").write_text(text + "\n")
        print(text)
    finally:
        server.terminate()


def _front_seconds(page: Page, address: str) -> float:
    clock = time.perf_counter()
    page.goto(address)
    page.locator("[data-testid=stVegaLiteChart] svg").first.wait_for(timeout=30_000)
    page.get_by_role("button", name="Choose what to forget").wait_for()
    seconds = time.perf_counter() - clock
    page.close()
    return seconds


def _wait_for(address: str) -> None:
    for _ in range(600):
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("The server did not start.")


def _resident(pid: int, what: str) -> int:
    """Megabytes: VmRSS now, VmHWM the peak."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) // 1024
    return 0


if __name__ == "__main__":
    main()
