"""A run on CIFAR-10 in a browser, from the link to the verdict on what it answers. What comes after
it, the look inside and the images to keep, takes two minutes and a half on one core and no code
that the digits do not go through."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Start
from tests.e2e.test_app import STEP, Visit, start_run

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]


def test_cifar10_once(start: Start, visit: Visit, cifar10_folder: Path) -> None:
    # The cache that all tests share: CIFAR-10 is decoded once.
    server = start(
        Path(os.environ["FORGETTING_LAB_CACHE"]), FORGETTING_LAB_DATA=str(cifar10_folder)
    )
    page = visit(f"{server.address}/Unlearn?data=cifar10&forget=class:automobile&set=epochs:0.05")
    start_run(page)
    expect(page.get_by_text(STEP).first).to_be_visible(timeout=300_000)
    verdict = page.get_by_role("heading", name=re.compile("forgotten|silenced|cannot tell", re.I))
    expect(verdict).to_be_visible(timeout=600_000)
    expect(page.get_by_text("The photos to keep are still being asked about")).to_be_visible()
    expect(page.get_by_text("It is being looked at inside.")).to_be_visible()
