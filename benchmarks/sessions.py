"""Many visitors at once on a hosted server, in a real browser: whether anything goes wrong, whether
a run is lost or shown to another, and what the server's memory does.

Four visitors queue one run after the other; of these one is killed amid a run and one reloads its
page all the time. One tries the addresses of the others' runs. The rest walk through the pages.

    python -m benchmarks.sessions --minutes 10
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

from benchmarks import RESULTS
from benchmarks.server import AT_REST, CHROMIUM, Served, resident, served
from core.runs.store.store import Store

QUEUEING = ("queue", "queue", "killed", "reload")
SETUP = "Unlearn?data=digits&forget=random:0.1&seed="
PAGES = ("", "Choose?data=digits", f"{SETUP}0", "Compare", "Methods")
PRIVATE = "here, or it is private"
DONE = "What these spies cannot see"
PATIENCE = 120_000
SAMPLE_SECONDS = 5.0
LAST_SECONDS = 30.0
"""For what is under way when the time is up."""


@dataclass
class Seen:
    """What went on. runs: ids by visitor. ended: those whose verdict a visitor saw. seconds: how
    long each kind of step took."""

    server: Served
    until: float
    runs: dict[int, list[str]] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    intrusions: int = 0

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() > self.until


def main() -> None:
    """Measures and writes results/sessions.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--chromium", default=CHROMIUM)
    options = parser.parse_args()
    found = measure(60 * options.minutes, options.sessions, options.chromium)
    found["command"] = f"python -m benchmarks.sessions --minutes {options.minutes:g}"
    text = json.dumps(found, indent=2)
    (RESULTS / "sessions.json").write_text(text + "\n")
    print(text)


def measure(seconds: float, sessions: int, chromium: str = CHROMIUM) -> dict[str, Any]:
    """See the module. sessions: how many, at least six."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as cache:
        # Its visitors all come from this machine, and share what is there for one hour.
        limits = {"FORGETTING_LAB_HOSTED": "1", "FORGETTING_LAB_HOUR_SECONDS": "1e9"}
        with served(Path(cache), **limits) as server:
            seen = Seen(server, time.monotonic() + seconds)
            asyncio.run(_all(seen, sessions, chromium))
            peak = resident(server.pid, "VmHWM")
        return _report(seen, sessions, seconds, peak, _statuses(Path(cache), seen))


async def _all(seen: Seen, sessions: int, chromium: str) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        kinds = [*QUEUEING, "intrude", *["walk"] * sessions][:sessions]
        visits = [_visit(browser, seen, number, kind) for number, kind in enumerate(kinds)]
        watching = asyncio.create_task(_watch_memory(seen))
        tasks = [asyncio.create_task(visit) for visit in visits]
        _, late = await asyncio.wait(tasks, timeout=seen.until - time.monotonic() + LAST_SECONDS)
        for task in (*late, watching):  # what they wait for has not come; their runs are looked at
            task.cancel()
        await asyncio.gather(*tasks, watching, return_exceptions=True)
        await browser.close()


async def _watch_memory(seen: Seen) -> None:
    while True:
        seen.memory.append(resident(seen.server.pid))
        await asyncio.sleep(SAMPLE_SECONDS)


async def _visit(browser: Browser, seen: Seen, number: int, kind: str) -> None:
    """One visitor, with a browser session of their own, until the time is up."""
    draw = random.Random(number)
    steps: dict[str, Callable[[Page, Seen, int, random.Random], Awaitable[None]]] = {
        "walk": _walk, "intrude": _intrude, "queue": _queue, "reload": _reload, "killed": _killed,
    }  # fmt: skip
    while not seen.over:
        context = await browser.new_context()
        page = await context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: seen.errors.append(f"{kind} {number}: {error}"))
        try:
            while not seen.over:
                await steps[kind](page, seen, number, draw)
        except _Gone:
            pass  # a new visitor comes in their place
        except Exception as error:
            seen.errors.append(f"{kind} {number}: {type(error).__name__}: {str(error)[:300]}")
            await asyncio.sleep(1)
        await context.close()


class _Gone(Exception):
    """The visitor has closed the browser."""


async def _open(page: Page, seen: Seen, place: str, kind: str) -> None:
    clock = time.perf_counter()
    await page.goto(f"{seen.server.address}/{place}")
    await page.locator("h1").first.wait_for()
    await page.locator(AT_REST).wait_for()
    seen.seconds.setdefault(kind, []).append(time.perf_counter() - clock)
    if await page.locator("[data-testid=stException]").count():
        seen.errors.append(f"{place}: an exception is shown")


async def _walk(page: Page, seen: Seen, number: int, draw: random.Random) -> None:
    await _open(page, seen, draw.choice(PAGES), "a page")
    await asyncio.sleep(draw.uniform(2, 8))


async def _intrude(page: Page, seen: Seen, number: int, draw: random.Random) -> None:
    theirs = [id for ids in seen.runs.values() for id in ids]
    if theirs:
        await _open(page, seen, f"Unlearn?run={draw.choice(theirs)}", "another's run")
        await page.get_by_text(PRIVATE).first.wait_for()
        seen.intrusions += 1
    await asyncio.sleep(3)


async def _start(page: Page, seen: Seen, number: int, draw: random.Random) -> str:
    """Queues a run; gives its id."""
    await _open(page, seen, f"{SETUP}{draw.randrange(10**6)}", "a set-up")
    await page.get_by_role("button", name="Start forgetting").click()
    await page.wait_for_url(re.compile(r"[?&]run="))
    (id,) = re.findall(r"[?&]run=([^&]+)", page.url)
    seen.runs.setdefault(number, []).append(id)
    return str(id)


async def _ends(page: Page, seen: Seen, id: str) -> None:
    """Waits for the verdict of a visitor's own run."""
    await page.get_by_text(DONE).first.wait_for(timeout=600_000)
    seen.ended.add(id)
    if f"run={id}" not in page.url:
        seen.errors.append(f"run {id} became another: {page.url}")


async def _queue(page: Page, seen: Seen, number: int, draw: random.Random) -> None:
    await _ends(page, seen, await _start(page, seen, number, draw))


async def _reload(page: Page, seen: Seen, number: int, draw: random.Random) -> None:
    id = await _start(page, seen, number, draw)
    for _ in range(3):
        await asyncio.sleep(2)
        await _open(page, seen, f"Unlearn?run={id}", "one's own run again")
        if await page.get_by_text(PRIVATE).count():
            seen.errors.append(f"run {id} is not its visitor's any more")
    await _ends(page, seen, id)


async def _killed(page: Page, seen: Seen, number: int, draw: random.Random) -> None:
    await _start(page, seen, number, draw)
    await asyncio.sleep(4)
    raise _Gone


def _statuses(cache: Path, seen: Seen) -> dict[str, int]:
    """How many of the runs that were queued the store has, by status. Where it has none: "lost" if
    a visitor saw it end, else it still waited, or was stopped before it began."""
    os.environ["FORGETTING_LAB_CACHE"] = str(cache)
    store = Store()
    store.recover()
    kept = {run.id: run for run in store.summaries()}
    store.close()
    found: dict[str, int] = {}
    for number, ids in seen.runs.items():
        for id in ids:
            missing = "lost" if id in seen.ended else "never began"
            status = kept[id].status if id in kept else missing
            found[status] = found.get(status, 0) + 1
        if len({kept[id].owner for id in ids if id in kept}) > 1 and number != 2:
            seen.errors.append(f"the runs of visitor {number} have several owners")
    return found


def _report(
    seen: Seen, sessions: int, seconds: float, peak: int, runs: dict[str, int]
) -> dict[str, Any]:
    third = max(1, len(seen.memory) // 3)
    middle, end = seen.memory[third : 2 * third], seen.memory[-third:]
    return {
        "sessions": sessions,
        "seconds": seconds,
        "errors": seen.errors,
        "runs": runs,
        "refused_looks_at_anothers_run": seen.intrusions,
        "seconds_median": {k: round(statistics.median(v), 2) for k, v in seen.seconds.items()},
        "seconds_longest": {k: round(max(v), 2) for k, v in seen.seconds.items()},
        "memory_middle_mb": round(statistics.mean(middle or [0])),
        "memory_end_mb": round(statistics.mean(end or [0])),
        "peak_resident_mb": peak,
    }


if __name__ == "__main__":
    main()
