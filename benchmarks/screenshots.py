"""Every screen of the app as a picture: light, dark, and 400 px wide, in docs/screens/.

A server with an empty cache; the runs that ship are shown, and one on the digits is made, of which
a picture is taken while it goes on. With CIFAR-10 its photos are shown too.

    python -m benchmarks.screenshots --data ../shared/data/cifar10
    python -m benchmarks.screenshots --only front live
"""

from __future__ import annotations

import argparse
import io
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from PIL import Image
from playwright.sync_api import Browser, Page, StorageState, expect, sync_playwright

from benchmarks.server import AT_REST, CHROMIUM, ROOT, served
from core.runs.run_files import shipped_runs

FOLDER = ROOT / "docs" / "screens"
VIEWS = {
    "light": {"viewport": {"width": 1280, "height": 900}},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "narrow": {"viewport": {"width": 400, "height": 900}},
}
LIVE = "Unlearn?data=digits&forget=memorised-v2:50&method=fine_tune&set=epochs:20"
STEP = re.compile(r"step [\d,]+ of", re.IGNORECASE)
DONE = "What these spies cannot see"
PATIENCE_MS = 240_000
TALLEST = 4_000
COLOURS = 128
"""Of a picture that is kept: a third of the bytes, and no eye sees it."""


def main() -> None:
    """Writes the pictures, and says how high each screen is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--only", nargs="*", metavar="SCREEN", default=())
    parser.add_argument("--views", nargs="*", choices=VIEWS, default=list(VIEWS))
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    data = {"FORGETTING_LAB_DATA": str(options.data.resolve())} if options.data else {}
    with (
        tempfile.TemporaryDirectory() as cache,
        served(Path(cache), **data) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        run, visitor = _live(browser, server.address, options.only, options.views)
        for name, address in screens(run):
            for view in options.views:
                if not options.only or name in options.only:
                    page = _page(browser, view, f"{server.address}/{address}", visitor)
                    print(view, name, f"{_picture(page, view, name)} px", flush=True)
                    page.context.close()
        browser.close()


def screens(run: str) -> Iterator[tuple[str, str]]:
    """The name and address of each screen. run: the id of one on the digits."""
    shipped = {each.plan.request.kind: each.id for each in shipped_runs()}
    yield "front", ""
    yield "choose", "Choose?data=digits"
    yield "unlearn", "Unlearn?data=digits&forget=class:3"
    yield "result-of-a-class", f"Unlearn?run={shipped['classes']}"
    yield "result-of-photos", f"Unlearn?run={run}"
    yield "compare", f"Compare?runs={run}"
    yield "methods", "Methods"
    yield "graphs", "Graphs"
    yield "probabilities", "Probabilities?data=digits&forget=random:50"
    yield "inside", f"Inside?run={run}"
    yield "cost", f"What_did_it_cost?run={shipped['classes']}"
    yield "robustness", f"Robustness?run={run}"
    yield "influence", "Influence?data=digits"
    yield "how-it-works", "How_it_works"


def _live(
    browser: Browser, address: str, only: Sequence[str], views: Sequence[str]
) -> tuple[str, StorageState]:
    """Makes a run; pictures of it while it goes on. Returns its id, and whose it is."""
    page = _page(browser, "light", f"{address}/{LIVE}")
    page.get_by_role("button", name="Start forgetting").click()
    page.get_by_text(STEP).first.wait_for()
    page.wait_for_url(re.compile("run="))
    here, visitor = page.url, page.context.storage_state()
    for view in views:
        if not only or "live" in only:
            going = page if view == "light" else _page(browser, view, here, visitor, rest=False)
            going.get_by_text(STEP).first.wait_for()
            going.wait_for_timeout(3_000)
            print(view, "live", f"{_picture(going, view, 'live', rest=False)} px", flush=True)
    page.get_by_text(DONE).first.wait_for()
    page.context.close()
    return parse_qs(urlsplit(here).query)["run"][0], visitor


def _page(
    browser: Browser,
    view: str,
    address: str,
    visitor: StorageState | None = None,
    rest: bool = True,
) -> Page:
    """A look at an address. visitor: the cookies, by which runs know their owner. rest: whether to
    wait until nothing moves."""
    page = browser.new_context(**VIEWS[view], storage_state=visitor).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    page.locator("h1").first.wait_for()
    if rest:
        _at_rest(page)
    page.wait_for_timeout(1_000)
    return page


def _picture(page: Page, view: str, name: str, rest: bool = True) -> int:
    """Takes it from top to bottom; returns how high the screen is, in pixels."""
    height = int(page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight"))
    width = VIEWS[view]["viewport"]["width"]
    page.set_viewport_size({"width": width, "height": min(max(height, 600), TALLEST)})
    page.wait_for_timeout(1_500)
    if rest:
        _at_rest(page)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(
        FOLDER / f"{view}-{name}.png", optimize=True
    )
    return height


def _at_rest(page: Page) -> None:
    """Waits until nothing moves: no script runs, and no progress is shown."""
    page.locator(AT_REST).wait_for()
    expect(page.get_by_test_id("stProgress")).to_have_count(0, timeout=PATIENCE_MS)
    page.locator(AT_REST).wait_for()


if __name__ == "__main__":
    main()
