"""In a browser: a photo, those that taught it, five forgotten; and links into the glossary."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Server
from tests.e2e.test_app import parameters
from ui.wording import glossary

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
Visit = Callable[..., Page]


def test_take_a_photo_find_its_teachers_forget_five(server: Server, visit: Visit) -> None:
    page = visit(f"{server.address}/Influence?data=digits")
    fourth = page.get_by_role("checkbox", name=re.compile("test photo")).nth(3)
    expect(fourth).to_be_visible()
    page.wait_for_function("() => location.search.includes('photo=')")
    first = parameters(page)["photo"]
    fourth.click()
    page.wait_for_function("old => !location.search.includes(`photo=${old}`)", arg=first)
    page.get_by_role("button", name="Find the photos that taught it").click()
    expect(page.get_by_text("Half of all influence on this answer")).to_be_visible()
    page.get_by_role("button", name="Forget these five").click()
    expect(page.get_by_text("Refitted without them")).to_be_visible()
    expect(page.locator("[data-testid=stVegaLiteChart] svg").first).to_be_visible()
    page.get_by_role("button", name="Choose them for the whole network").click()
    expect(page.get_by_text("5 of 897")).to_be_visible()
    assert parameters(page)["forget"].count(",") == 4


def test_every_anchor_of_the_glossary_is_there(server: Server, visit: Visit) -> None:
    page = visit(f"{server.address}/{glossary.address('Only silenced')}")
    for entry in glossary.ENTRIES:
        expect(page.locator(f"[id='{entry.anchor}']")).to_have_text(entry.term)
    expect(page.locator("#only-silenced")).to_be_in_viewport()
    page.get_by_text("new automobiles", exact=True).click()
    expect(page.get_by_text("Only the question has changed")).to_be_visible()
