"""Hostile links in a real browser: it asks nobody but the app, and shows no way to anybody else."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote, urlparse

import pytest

from core.runs.store.store import Store
from tests.app import fakes
from tests.browser import PATIENCE_MS
from tests.e2e.conftest import Start
from tests.hostile.conftest import FOREIGN, PICTURE

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

EVIL = (
    f"a {PICTURE} [b]({FOREIGN}) {FOREIGN} www.example.invalid <img src={FOREIGN}/y.png> "
    "me@example.invalid"
)
PLACES = (
    f"?data={quote(EVIL)}&forget=class:{quote(EVIL)}&method={quote(EVIL)}&model={quote(EVIL)}&seed={quote(EVIL)}",
    f"Choose?data=digits&forget={quote(json.dumps({'kind': 'classes', 'classes': [EVIL]}))}",
    "Choose?data=digits&forget=class:www.example.invalid",
    f"Unlearn?data=digits&forget=random:0.1&set={quote('momentum:' + json.dumps(PICTURE))}",
    f"Unlearn?run={quote(EVIL)}",
    "Unlearn?run=evil",
    "Compare?runs=evil,evil-too",
)
WAYS_OUT = """host => [...document.querySelectorAll('a[href], img, iframe, script[src]')]
  .map(e => new URL(e.href || e.src || location.href, location.href))
  .filter(u => u.protocol !== 'data:' && u.protocol !== 'blob:' && u.host !== host)
  .map(String)"""


def test_hostile_links_reach_nobody_else(start: Start, browser, tmp_path_factory) -> None:
    cache: Path = tmp_path_factory.mktemp("hostile")
    store = Store(f"sqlite:///{cache / 'runs.sqlite'}", cache / "runs")
    of = fakes.plan(dataset=EVIL)
    of = fakes.replace(of, request=of.request.of_classes(EVIL))
    for id in ("evil", "evil-too"):
        store.save(fakes.run(id, of, error=EVIL))
    store.close()
    server = start(cache)
    own = urlparse(server.address).netloc
    asked: list[str] = []
    context = browser.new_context()
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.set_default_timeout(PATIENCE_MS)
    for place in PLACES:
        page.goto(f"{server.address}/{place}")
        page.locator("h1").first.wait_for()
        # The text stands there, as text.
        page.get_by_text("example.invalid").or_(page.get_by_text("cannot be")).first.wait_for()
        assert page.evaluate(WAYS_OUT, own) == [], place
    context.close()
    foreign = [url for url in asked if urlparse(url).scheme not in ("data", "blob")]
    assert len(foreign) > len(PLACES)
    assert {urlparse(url).netloc for url in foreign} == {own}


def test_the_right_to_stop_is_in_a_cookie_and_in_no_address(start: Start, browser) -> None:
    server = start()
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{server.address}/?owner={'0' * 24}")
    page.locator("h1").first.wait_for()
    page.wait_for_function("() => document.cookie.includes('forgetting_lab_owner=')")
    page.wait_for_function("() => !location.search.includes('owner')")

    def token() -> dict[str, str]:
        [found] = [c for c in context.cookies() if c["name"] == "forgetting_lab_owner"]
        return found

    cookie = token()
    assert (cookie["sameSite"], cookie["path"]) == ("Strict", "/")
    assert cookie["value"] != "0" * 24
    page.reload()
    page.locator("h1").first.wait_for()
    page.wait_for_timeout(500)
    assert token() == cookie
    context.close()
