"""The page of graphs in a real browser: its main act, an accessibility scan, a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Server
from tests.e2e.test_app import Visit, settle

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_node_leaves_and_everyone_can_read_it(server: Server, visit: Visit, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = visit(f"{server.address}/Graphs", color_scheme=scheme)
    expect(page.get_by_text("Every point is a handwritten digit")).to_be_visible()
    page.get_by_role("button", name="Forget").click()
    expect(page.get_by_text("1 of 10 shards", exact=True)).to_be_visible()
    expect(page.get_by_text("shard 10").first).to_be_visible()
    settle(page)
    options = {"resultTypes": ["violations"]}
    if scheme == "dark":
        options = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
    found = [
        (violation["id"], [node["html"][:200] for node in violation["nodes"][:5]])
        for violation in Axe().run(page, options=options).response["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
    assert not found
    page.set_viewport_size({"width": 400, "height": 800})
    page.wait_for_timeout(500)
    settle(page)
    wide = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
    assert wide <= 400
