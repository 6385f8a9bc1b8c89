"""In a browser: two methods in one press, their race, and what one can afford."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Server
from tests.e2e.test_app import SHORT, faults, settle, width_on_a_phone

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
Visit = Callable[..., Page]


def test_two_methods_in_one_press_race_and_are_priced(server: Server, visit: Visit) -> None:
    page = visit(f"{server.address}/Unlearn?{SHORT}")
    further = page.get_by_role("combobox", name=re.compile("Further methods"))
    further.click()
    further.fill("LFSSD")
    page.get_by_role("option", name=re.compile("LFSSD")).click()
    further.press("Escape")  # what lies under an open list is hidden from readers
    page.get_by_role("button", name="Start all 2").click()
    expect(page.get_by_role("heading", name="Compare finished runs")).to_be_visible()
    page.get_by_role("button", name="Start the race").click()
    expect(page.get_by_role("button", name="Hold")).to_be_visible()
    expect(page.get_by_text(re.compile("A and B have ended"))).to_be_visible()
    expect(page.get_by_role("button", name="Start the race")).to_be_visible()
    settle(page)
    assert not faults(page)

    page.get_by_role("link", name="What did it cost?").click()
    expect(page.get_by_role("heading", name="Who paid for it")).to_be_visible()
    settle(page)
    said = page.get_by_text(re.compile("^Within .* comes nearest to the ideal"))
    before = said.inner_text()
    slider = page.get_by_role("slider", name="Seconds I can afford")
    slider.press("Home")
    expect(said).not_to_have_text(before)
    settle(page)
    assert not faults(page)
    assert width_on_a_phone(page) <= 400
