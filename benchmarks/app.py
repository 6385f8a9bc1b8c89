"""What the app costs: start, front page, page and tick times, and peak memory with a running job.

Starts the real server with CIFAR-10 and drives it with a real browser.

    python -m benchmarks.app --data ../shared/data/cifar10
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks import RESULTS
from benchmarks.server import AT_REST, CHROMIUM, resident, served

STEP = "Step "
DONE = "What these spies cannot see"
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
    parser.add_argument("--chromium", default=CHROMIUM)
    options = parser.parse_args()
    found = measure(options.data, options.visits, options.chromium)
    found["command"] = "python -m benchmarks.app --data ../shared/data/cifar10"
    text = json.dumps(found, indent=2)
    (RESULTS / "app.json").write_text(text + "\n")
    print(text)


def measure(data: Path, visits: int = 5, chromium: str = CHROMIUM) -> dict[str, object]:
    """Seconds and megabytes, from a cache folder in which nothing is yet. data: CIFAR-10's
    folder. visits: of the front page, the first of which is the first that the server has."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as cache:
        with served(Path(cache), FORGETTING_LAB_DATA=str(data.resolve())) as server:
            ready = {"server_ready_seconds": round(server.ready, 2)}
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=chromium, args=["--no-sandbox"]
                )
                found = _drive(browser, server.address, server.pid, visits)
                browser.close()
        return ready | found


def _drive(browser: Browser, address: str, server: int, visits: int) -> dict[str, object]:
    """What a visitor waits for, and what the process of the server needs meanwhile."""
    seconds = [_front_seconds(browser.new_page(), address) for _ in range(visits)]
    found: dict[str, object] = {
        "first_visit_seconds": round(seconds[0], 2),
        "front_page_seconds_median": round(statistics.median(seconds), 2),
        "memory_after_front_page_mb": resident(server),
    }
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
    found["peak_resident_mb"] = resident(server, "VmHWM")
    return found


def _front_seconds(page: Page, address: str) -> float:
    clock = time.perf_counter()
    page.goto(address)
    page.locator("[data-testid=stVegaLiteChart] svg").first.wait_for(timeout=30_000)
    page.get_by_role("button", name="Choose what to forget").wait_for()
    seconds = time.perf_counter() - clock
    page.close()
    return seconds


if __name__ == "__main__":
    main()
