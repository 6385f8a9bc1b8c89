"""One browser for all tests that need one: a second Playwright cannot start beside the first."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
PATIENCE_MS = 240_000  # a loaded machine is slow, not broken
"""How long the browser waits for anything: a loaded machine takes many seconds to import torch."""


@pytest.fixture(scope="session")
def browser():
    """Chromium, headless."""
    if not Path(CHROMIUM).exists():
        why = f"no browser at {CHROMIUM}"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{why}, and CI needs it.")
        pytest.skip(f"{why}.")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()
