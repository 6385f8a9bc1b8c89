"""In a browser: ten photos of a finished run, an answer to each, and the score beside the
attack's; the threshold of a spy is dragged."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Server
from tests.e2e.test_app import faults, numbers, settle, start_run, width_on_a_phone

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
Visit = Callable[..., Page]


def test_play_the_spy_and_drag_a_threshold(server: Server, visit: Visit) -> None:
    page = visit(
        f"{server.address}/Unlearn?data=digits&forget=random:0.1&method=fine_tune&set=epochs:0.2"
    )
    start_run(page)
    numbers(page)
    page.get_by_role("radio", name="Be the spy").click()
    show = page.get_by_role("button", name="Show who was right")
    expect(show).to_be_disabled()
    for photo in range(1, 11):
        asked = page.get_by_role("radiogroup", name=f"Photo {photo}: trained on or new?")
        asked.get_by_role("radio", name="trained on" if photo % 2 else "new").click()
        expect(page.get_by_text(f"{photo} of 10 answered")).to_be_visible()
    show.click()
    expect(page.get_by_text(re.compile(r"You: \d+ of 10\. \w+.*: \d+ of 10"))).to_be_visible()
    page.get_by_role("button", name="Ten other photos").click()
    expect(page.get_by_text("0 of 10 answered")).to_be_visible()
    settle(page)
    assert not faults(page)

    page.get_by_role("radio", name="Every spy, every threshold").click()
    said = page.get_by_text(re.compile("this threshold accuses"))
    first = said.inner_text()
    page.get_by_role("slider", name="Accuse every photo").press("PageDown")
    expect(said).not_to_have_text(first)
    settle(page)
    assert not faults(page)
    assert width_on_a_phone(page) <= 400
