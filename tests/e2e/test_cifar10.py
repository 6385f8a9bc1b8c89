"""A whole run on CIFAR-10 in a browser."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Start
from tests.e2e.test_app import DONE, STEP, Visit, numbers, start_run

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]


def test_cifar10_once(start: Start, visit: Visit, cifar10_folder: Path) -> None:
    # The cache that all tests share: CIFAR-10 is decoded once.
    server = start(
        Path(os.environ["FORGETTING_LAB_CACHE"]), FORGETTING_LAB_DATA=str(cifar10_folder)
    )
    page = visit(f"{server.address}/Unlearn?data=cifar10&forget=class:automobile&set=epochs:0.05")
    start_run(page)
    expect(page.get_by_text(STEP).first).to_be_visible(timeout=300_000)
    expect(page.get_by_text(DONE)).to_be_visible(timeout=600_000)
    found = numbers(page)
    assert len(found) >= 9, found
    assert all(value.endswith("%") for value in found), found
