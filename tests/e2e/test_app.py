"""What only a browser shows: clicks on images, the live chart, Stop, reload, links, two visits, a
crash of the server, a narrow screen, and what an accessibility checker finds."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PATIENCE_MS, Server, Start

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

LONG = "data=digits&forget=class:3&set=epochs:50.0,batch_size:8"
SHORT = "data=digits&forget=class:7&method=neg_grad"
STEP = re.compile(r"Step [\d,]+ of [\d,]+")
DONE = "What these spies cannot see"
STOPPED = "stopped after step"
PATHS = "[data-testid=stVegaLiteChart] svg path"
Visit = Callable[..., Page]


def bars(page: Page) -> str:
    """The shapes that the page's charts draw."""
    shapes: str = page.eval_on_selector_all(
        PATHS, "paths => paths.map(p => p.getAttribute('d')).join()"
    )
    return shapes


def parameters(page: Page) -> dict[str, str]:
    return {k: v[0] for k, v in parse_qs(urlparse(page.url).query).items()}


def numbers(page: Page) -> list[str]:
    """The numbers of the forgetting strip of a finished run."""
    expect(page.get_by_text(DONE)).to_be_visible()
    strip = page.locator("[data-testid=stVegaLiteChart]").first.locator("svg text")
    expect(strip.first).to_be_visible()
    found = [text for text in strip.all_text_contents() if " · ideal " in text]
    assert len(found) >= 3
    return found


def start_run(page: Page) -> None:
    page.get_by_role("button", name="Start forgetting").click()


def stop(page: Page) -> None:
    page.get_by_role("button", name="Stop the run").click()
    expect(page.get_by_text(STOPPED)).to_be_visible()


@pytest.fixture(scope="module")
def finished(server: Server, browser) -> tuple[str, list[str]]:
    """A run of SHORT that has ended: its id, and the numbers on its screen."""
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{server.address}/Unlearn?{SHORT}")
    start_run(page)
    found = numbers(page)
    run = parameters(page)["run"]
    link = urlparse(page.locator("[data-testid=stCode]").first.inner_text().strip())
    assert (link.path, parse_qs(link.query)["run"]) == ("/Unlearn", [run])
    page.context.close()
    return run, found


def test_front_page_at_once(server: Server, visit: Visit) -> None:
    page = visit(server.address)
    page.get_by_role("button", name="Choose what to forget").click()
    expect(page.get_by_role("heading", name="Choose what to forget")).to_be_visible()
    page.get_by_role("link", name="Meet the model").click()
    expect(page.get_by_role("heading", name="Can a neural network forget?")).to_be_visible()


def test_pick_a_class_watch_it_stop_reload(server: Server, visit: Visit) -> None:
    page = visit(f"{server.address}/Choose?data=digits&set=epochs:50.0,batch_size:8")
    page.get_by_role("radio", name="Whole classes").click()
    page.get_by_role("button", name="3", exact=True).click()
    expect(page.get_by_text("Every image of the class 3: ")).to_be_visible()
    assert parameters(page)["forget"] == "class:3"
    page.get_by_role("button", name="Watch it forget").click()
    start_run(page)
    expect(page.get_by_text(STEP).first).to_be_visible()
    page.locator(PATHS).first.wait_for(state="attached")
    before = bars(page)
    page.wait_for_function(
        f"old => [...document.querySelectorAll('{PATHS}')]"
        ".map(p => p.getAttribute('d')).join() !== old",
        arg=before,
    )
    run = parameters(page)["run"]
    page.reload()
    expect(page.get_by_text(STEP).first).to_be_visible()
    assert parameters(page)["run"] == run
    stop(page)
    page.reload()
    expect(page.get_by_text(STOPPED)).to_be_visible()


def test_click_images_and_use_the_keyboard(server: Server, visit: Visit) -> None:
    page = visit(f"{server.address}/Choose?data=digits")
    page.get_by_role("radio", name="Pick images").click()
    images = page.get_by_role("checkbox", name=re.compile("image"))
    images.nth(0).click()
    images.nth(2).click()
    expect(page.get_by_text("2 chosen training images")).to_be_visible()
    images.nth(2).press("ArrowRight")
    page.keyboard.press("Space")
    expect(page.get_by_text("3 chosen training images")).to_be_visible()
    assert len(parameters(page)["forget"].split(",")) == 3
    images.nth(0).click()
    expect(page.get_by_text("2 chosen training images")).to_be_visible()
    page.get_by_role("button", name="Clear the choice").click()
    expect(page.get_by_text("Nothing is chosen yet")).to_be_visible()
    expect(images.nth(2)).to_have_attribute("aria-checked", "false")


def test_counts_are_taken_away_and_a_network_still_knows(server: Server, visit: Visit) -> None:
    page = visit(f"{server.address}/Probabilities?data=digits")
    page.get_by_role("radio", name="A random tenth").click()
    expect(page.get_by_text("Forgotten exactly: all")).to_be_visible()
    assert parameters(page)["forget"] == "random:0.1"
    expect(page.get_by_text("Because of the hidden variable")).to_be_visible()
    page.get_by_text("Try it on the network of the digits").click()
    expect(page.get_by_text("The network's verdict: not forgotten.")).to_be_visible()


def test_two_visitors_one_runs_one_waits(
    server: Server, visit: Visit, finished: tuple[str, list[str]]
) -> None:
    """The second asks for what has been run once before: had the first run changed the model that
    it starts from, other numbers would come out."""
    first = visit(f"{server.address}/Unlearn?{LONG}")
    start_run(first)
    expect(first.get_by_text(STEP).first).to_be_visible()
    second = visit(f"{server.address}/Unlearn?{SHORT}")
    start_run(second)
    expect(second.get_by_text("next in line")).to_be_visible()
    stranger = visit(f"{server.address}/Unlearn?run={parameters(first)['run']}")
    expect(stranger.get_by_text("only they can stop it")).to_be_visible()
    # The owner may look at another page, and finds the way back there.
    first.get_by_role("link", name="Compare").click()
    first.get_by_role("link", name="Go to it").click()
    expect(first.get_by_text(STEP).first).to_be_visible()
    stop(first)
    assert numbers(second) == finished[1]


def test_a_crash_is_said_and_links_work_on_a_fresh_server(start: Start, visit: Visit) -> None:
    old = start()
    page = visit(f"{old.address}/Unlearn?{LONG}")
    start_run(page)
    expect(page.get_by_text(STEP).first).to_be_visible()
    page.wait_for_timeout(1500)  # its progress is noted once a second
    old.kill()
    fresh = start(old.cache)
    setup = visit(f"{fresh.address}/Unlearn?{SHORT}&seed=5")
    expect(setup.get_by_text("every image of the class 7")).to_be_visible()
    expect(setup.get_by_role("button", name="Start forgetting")).to_be_visible()
    front = visit(fresh.address)
    expect(front.get_by_text(re.compile("ended before the run was saved"))).to_be_visible()
    front.get_by_role("button", name="Set it up again").click()
    expect(front.get_by_role("button", name="Start forgetting")).to_be_visible()
    assert parameters(front)["set"] == "batch_size:8,epochs:50.0"


def test_a_photo_is_followed_inside(
    server: Server, visit: Visit, finished: tuple[str, list[str]]
) -> None:
    """Pointed at in one network it is marked in all, with its picture; a click keeps it; the slider
    goes to another depth; a second visit waits for nothing."""
    page = visit(f"{server.address}/Inside?run={finished[0]}")
    plane = page.locator("[data-testid=stVegaLiteChart][aria-label*='photos in']")
    expect(page.get_by_role("heading", name="What it says now")).to_be_visible()
    settle(page)
    chosen = page.get_by_text(re.compile("before it says", re.IGNORECASE))
    said = chosen.inner_text()
    box = plane.bounding_box()
    assert box is not None
    plane.hover(position={"x": 0.2 * box["width"], "y": 0.6 * box["height"]})
    networks = re.search(r"photos in (\d) networks", plane.get_attribute("aria-label") or "")
    assert networks is not None
    expect(plane.locator("image")).to_have_count(int(networks[1]), timeout=20_000)
    plane.click(position={"x": 0.2 * box["width"], "y": 0.6 * box["height"]})
    expect(chosen).not_to_have_text(said, timeout=20_000)
    page.get_by_role("slider", name="Depth").press("Home")
    expect(page.get_by_text(re.compile("^At stem"))).to_be_visible()
    page.get_by_role("link", name="Compare").click()
    page.get_by_role("link", name="Look inside").click()
    expect(page.get_by_text(re.compile("^At features"))).to_be_visible(timeout=5_000)


def places(run: str) -> tuple[str, ...]:
    """Every page, in each of its states."""
    return (
        "",
        "Choose?data=digits&forget=class:1",
        "Choose?data=digits&forget=indices:1,2,3",
        f"Unlearn?{LONG}",
        f"Unlearn?run={run}",
        f"Inside?run={run}",
        f"What_did_it_cost?run={run}",
        f"Robustness?run={run}",
        f"Compare?runs={run}",
        "Methods",
        "Probabilities?data=digits&forget=random:50",
    )


def faults(page: Page, *rules: str) -> list[tuple[str, list[str]]]:
    """The serious violations that axe finds, by all of its rules or by these, with some places."""
    from axe_playwright_python.sync_playwright import Axe

    options = {"runOnly": {"type": "rule", "values": list(rules)}} if rules else {}
    return [
        (violation["id"], [node["html"][:200] for node in violation["nodes"][:5]])
        for violation in Axe().run(page, options=options).response["violations"]
        if violation["impact"] in ("serious", "critical")
    ]


def width_on_a_phone(page: Page) -> float:
    """Pixels that the page takes on a screen 400 wide."""
    page.set_viewport_size({"width": 400, "height": 800})
    page.wait_for_timeout(500)
    settle(page)
    wide: float = page.evaluate(
        "Math.max(document.documentElement.scrollWidth,"
        " document.querySelector('[data-testid=stMain]').scrollWidth)"
    )
    return wide


def settle(page: Page) -> None:
    """Waits until the script has ended and its charts are drawn."""
    at_rest = page.locator("[data-testid=stApp][data-test-script-state=notRunning]")
    at_rest.wait_for()
    page.wait_for_timeout(1500)  # the images' grid answers with a second run of the script
    at_rest.wait_for()
    # What a running script has not drawn again is faded meanwhile.
    page.wait_for_function("() => !document.querySelector('[data-stale=true]')")
    page.wait_for_timeout(500)


def test_an_accessibility_scan_finds_nothing_and_a_phone_shows_all(
    server: Server, visit: Visit, finished: tuple[str, list[str]]
) -> None:
    """No serious violation on any page, and on a narrow screen no scrolling sideways."""
    found = []
    for place in places(finished[0]):
        page = visit(f"{server.address}/{place}")
        settle(page)
        found += [(place, *fault) for fault in faults(page)]
        assert width_on_a_phone(page) <= 400, place
        page.context.close()
    assert not found


def test_contrast_in_the_dark(
    server: Server, visit: Visit, finished: tuple[str, list[str]]
) -> None:
    runs = f"Unlearn?run={finished[0]}", f"Inside?run={finished[0]}"
    for place in (*runs, "", "Choose?data=digits&forget=class:1", "Methods"):
        page = visit(f"{server.address}/{place}", color_scheme="dark")
        settle(page)
        assert not (found := faults(page, "color-contrast")), [place, *found]
