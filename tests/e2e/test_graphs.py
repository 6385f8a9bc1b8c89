"""The page of graphs in a real browser: its main act, an accessibility scan, a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Server
from tests.e2e.test_app import Visit, faults, settle, width_on_a_phone

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_node_leaves_and_everyone_can_read_it(server: Server, visit: Visit, scheme: str) -> None:
    page = visit(f"{server.address}/Graphs", color_scheme=scheme)
    expect(page.get_by_text("Every point is a handwritten digit")).to_be_visible()
    page.get_by_role("button", name="Forget").click()
    expect(page.get_by_text("1 of 10 shards", exact=True)).to_be_visible()
    expect(page.get_by_text("shard 10").first).to_be_visible()
    settle(page)
    assert not faults(page, *(["color-contrast"] if scheme == "dark" else []))
    assert width_on_a_phone(page) <= 400
