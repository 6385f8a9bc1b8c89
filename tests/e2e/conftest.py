"""A real server and a real browser: Debian's Chromium. Where it is missing the tests are skipped,
in CI they fail."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.browser import PATIENCE_MS

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Server:
    """A running app. address: without a slash at its end. cache: its cache folder."""

    address: str
    cache: Path
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """Ends it, and waits until it has ended."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Ends it at once, as a crash would (SIGKILL)."""
        self.process.kill()
        self.process.wait(60)


def start_server(cache: Path, **environment: str) -> Server:
    """Starts the app on a free port and waits until it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # With as many threads as this process has: beside another worker of the tests, one. Two threads
    # that share their cores wait for each other after every layer, and take many times as long.
    plain = {k: v for k, v in os.environ.items() if not k.startswith("FORGETTING_LAB")}
    log = (cache / "server.log").open("ab")
    process = subprocess.Popen(
        [
            sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true",
            "--server.address", "127.0.0.1", "--server.port", str(port),
        ],
        cwd=ROOT, env={**plain, "FORGETTING_LAB_CACHE": str(cache), **environment},
        stdout=log, stderr=log,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    for _ in range(480):
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as answer:
                if answer.status == 200:
                    return Server(address, cache, process)
        except OSError:
            time.sleep(0.25)
    process.kill()
    raise RuntimeError(f"the app did not start: {(cache / 'server.log').read_text()[-2000:]}")


Start = Callable[..., Server]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts servers, each with its own cache folder unless one is given, and ends them."""
    servers: list[Server] = []

    def begin(cache: Path | None = None, **environment: str) -> Server:
        server = start_server(cache or tmp_path_factory.mktemp("server"), **environment)
        servers.append(server)
        return server

    yield begin
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def server(start: Start) -> Server:
    """One server for the tests of a file."""
    return start()


@pytest.fixture
def visit(browser) -> Iterator[Callable]:
    """Opens an address in a browser session of its own."""
    contexts = []

    def go(address: str, **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 1000}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(address)
        page.locator("h1").first.wait_for()
        return page

    yield go
    for context in contexts:
        context.close()
