"""Downloads from a loopback server that is slow, cuts off, sends wrong bytes or answers 404."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from core.data.download import DownloadProgress, download
from core.data.mirrors import MIRRORS, RemoteFile
from core.data.parquet import HUB_SHA256
from core.data.sources import available, downloads
from core.data.torchvision_batches import TEST_BATCH, TRAIN_BATCHES
from core.errors import BadRequest, DownloadFailed


class Server(ThreadingHTTPServer):
    """Serves `files`. Each answer takes the next of `faults` for its file, while there are any.

    faults: "cut" (half of what was announced), "wrong" (one bit flipped), "no range" (Range is
    ignored), "busy" (503), "hang" (headers, then nothing), "slow" (a few bytes at a time).
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[str]] = {}
        self.asked: list[tuple[str, str]] = []
        self.closing = threading.Event()

    def remote(self, name: str, content: bytes) -> RemoteFile:
        self.files[name] = content
        url = f"http://127.0.0.1:{self.server_address[1]}/{name}"
        return RemoteFile(name, url, hashlib.sha256(content).hexdigest(), len(content))


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        name, wanted = self.path[1:], self.headers.get("Range", "")
        self.server.asked.append((name, wanted))
        faults = self.server.faults.get(name, [])
        fault = faults.pop(0) if faults else ""
        if fault == "busy" or name not in self.server.files:
            self.send_error(503 if fault else 404)
            return
        content = self.server.files[name]
        start = int(wanted[6:-1]) if wanted and fault != "no range" else 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        body = content[start:]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.flush()
        if fault == "wrong":
            body = bytes([body[0] ^ 1]) + body[1:]
        try:
            if fault == "hang":
                self.server.closing.wait(10)
            elif fault == "slow":
                for i in range(0, len(body), 500):
                    self.wfile.write(body[i : i + 500])
                    if self.server.closing.wait(0.02):
                        return
            else:
                self.wfile.write(body[: len(body) // 2] if fault == "cut" else body)
        except OSError:
            pass  # The client has gone away.


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield serving
        serving.closing.set()
        serving.shutdown()


@pytest.fixture
def content() -> bytes:
    return np.random.default_rng(0).bytes(20_000)


def fetch(cache: Path, *files: RemoteFile, **options: object) -> list[DownloadProgress]:
    settings = {"mirrors": {"parquet": files}, "mirror": "parquet", "pause": 0.01, "timeout": 5.0}
    return list(download(cache=cache, **{**settings, **options}))


def arrived(cache: Path) -> dict[str, bytes]:
    folder = downloads(cache, "cifar10")
    return {f.name: f.read_bytes() for f in folder.iterdir() if f.suffix != ".lock"}


def test_what_is_offered_is_whole_and_pinned() -> None:
    assert [file.name for file in MIRRORS["archive"]] == ["cifar-10-python.tar.gz"]
    assert {file.name for file in MIRRORS["parquet"]} == set(HUB_SHA256)
    for file in (*MIRRORS["archive"], *MIRRORS["parquet"]):
        assert file.url.startswith("https://")
        assert file.url.endswith(f"/{file.name}")
        assert len(bytes.fromhex(file.sha256)) == 32


def test_a_plain_download(server: Server, content: bytes, tmp_path: Path) -> None:
    files = server.remote("a.parquet", content), server.remote("b.parquet", content[:99])
    steps = fetch(tmp_path, *files)
    assert arrived(tmp_path) == {"a.parquet": content, "b.parquet": content[:99]}
    assert steps[0] == DownloadProgress("a.parquet", 0, 20_000)
    assert steps[-1] == DownloadProgress("b.parquet", 99, 99)
    done = [step.done for step in steps if step.file == "a.parquet"]
    assert done == sorted(done)
    fetch(tmp_path, *files)
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("faults", "ranges"),
    [
        (["cut"], ["", "bytes=10000-"]),
        (["cut", "cut"], ["", "bytes=10000-", "bytes=15000-"]),
        (["cut", "no range"], ["", "bytes=10000-"]),
        (["wrong"], ["", ""]),
        (["cut", "wrong"], ["", "bytes=10000-", ""]),
        (["busy"], ["", ""]),
        (["hang"], ["", ""]),
        (["slow"], [""]),
    ],
)
def test_faults_that_pass(
    server: Server, content: bytes, tmp_path: Path, faults: list[str], ranges: list[str]
) -> None:
    file = server.remote("a.parquet", content)
    server.faults["a.parquet"] = list(faults)
    steps = fetch(tmp_path, file, timeout=0.5 if "hang" in faults else 5.0)
    assert arrived(tmp_path) == {"a.parquet": content}
    assert [wanted for _, wanted in server.asked] == ranges
    assert any(step.note for step in steps) == (faults not in (["slow"], []))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("cut", "connection broke"),
        ("wrong", "checksum"),
        ("busy", "answers 503"),
        ("hang", "connection"),
    ],
)
def test_faults_that_stay(
    server: Server, content: bytes, tmp_path: Path, fault: str, said: str
) -> None:
    file = server.remote("a.parquet", content)
    server.faults["a.parquet"] = [fault] * 9
    with pytest.raises(DownloadFailed, match=said) as caught:
        fetch(tmp_path, file, tries=3, timeout=0.5 if fault == "hang" else 5.0)
    assert caught.value.hint
    assert len(server.asked) == 3
    assert "a.parquet" not in arrived(tmp_path)
    assert not available("cifar10", cache=tmp_path)


def test_a_refusal_is_final(server: Server, content: bytes, tmp_path: Path) -> None:
    file = server.remote("a.parquet", content)
    server.files.clear()
    with pytest.raises(DownloadFailed, match="answers 404"):
        fetch(tmp_path, file)
    assert len(server.asked) == 1


def test_nobody_answers(server: Server, content: bytes, tmp_path: Path) -> None:
    file = RemoteFile("a.parquet", "http://127.0.0.1:9/a.parquet", "00", 10)
    with pytest.raises(DownloadFailed, match="connection"):
        fetch(tmp_path, file, tries=2)


@pytest.mark.timeout(100)  # a close that waited for the server would take 300 s
def test_closing_stops_it_and_the_next_goes_on(
    server: Server, content: bytes, tmp_path: Path
) -> None:
    file = server.remote("a.parquet", content)
    server.faults["a.parquet"] = ["slow"]
    steps = download(cache=tmp_path, mirror="parquet", mirrors={"parquet": (file,)}, timeout=300.0)
    while next(steps).done < 3000:
        pass
    steps.close()
    [(name, part)] = arrived(tmp_path).items()
    assert name == "a.parquet.part"
    assert content.startswith(part)
    assert 3000 <= len(part) < len(content)
    first = fetch(tmp_path, file)[0]
    assert first.done == len(part)
    assert server.asked[1] == ("a.parquet", f"bytes={len(part)}-")
    assert arrived(tmp_path) == {"a.parquet": content}


def test_a_part_that_is_too_long_or_complete(
    server: Server, content: bytes, tmp_path: Path
) -> None:
    file = server.remote("a.parquet", content)
    folder = downloads(tmp_path, "cifar10")
    folder.mkdir(parents=True)
    for left in (content, content + b"more", b"x" * len(content)):
        (folder / "a.parquet.part").write_bytes(left)
        fetch(tmp_path, file)
        assert arrived(tmp_path) == {"a.parquet": content}
        (folder / "a.parquet").unlink()


def test_a_second_download_at_once_is_refused(
    server: Server, content: bytes, tmp_path: Path
) -> None:
    file = server.remote("a.parquet", content)
    folder = downloads(tmp_path, "cifar10")
    folder.mkdir(parents=True)
    with FileLock(folder / "download.lock"), pytest.raises(DownloadFailed, match="already running"):
        fetch(tmp_path, file)


def archive(*, without: str = "") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name in (*TRAIN_BATCHES, TEST_BATCH, "../../escaped", "readme.html"):
            if name != without:
                member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
                member.size = len(name)
                tar.addfile(member, io.BytesIO(name.encode()))
    return out.getvalue()


def test_the_archive_is_unpacked_by_name(server: Server, tmp_path: Path) -> None:
    file = server.remote("cifar-10-python.tar.gz", archive())
    fetch(tmp_path / "deep", mirrors={"archive": (file,)}, mirror="archive")
    folder = downloads(tmp_path / "deep", "cifar10")
    unpacked = {f.name: f.read_text() for f in (folder / "cifar-10-batches-py").iterdir()}
    assert unpacked == {name: name for name in (*TRAIN_BATCHES, TEST_BATCH)}
    assert {f.name for f in folder.iterdir()} - {"download.lock"} == {"cifar-10-batches-py"}
    assert not list(tmp_path.rglob("escaped"))
    assert available("cifar10", cache=tmp_path / "deep")


@pytest.mark.parametrize("trouble", ["404", "incomplete", "no tar"])
def test_the_mirror_stands_in(server: Server, content: bytes, tmp_path: Path, trouble: str) -> None:
    broken = b"no tar" if trouble == "no tar" else archive(without="data_batch_3")
    first = server.remote("cifar-10-python.tar.gz", broken)
    if trouble == "404":
        server.files.clear()
    mirrors = {"archive": (first,), "parquet": (server.remote("a.parquet", content),)}
    steps = fetch(tmp_path, mirrors=mirrors, mirror="archive")
    assert any("Trying another source" in step.note for step in steps)
    assert arrived(tmp_path).pop("a.parquet") == content
    assert not (downloads(tmp_path, "cifar10") / "cifar-10-batches-py").exists()


def test_only_what_is_offered(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="nothing to download"):
        next(download("digits", cache=tmp_path))
    with pytest.raises(BadRequest, match="no mirror"):
        next(download(mirror="elsewhere", cache=tmp_path))
