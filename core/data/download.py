"""Fetches CIFAR-10 or a graph on request: a generator of progress that can be closed at any time.

`archive` is torchvision's (the author's site, 170 MB), `parquet` the Hub's copy (144 MB), tried
where the archive fails. Whatever stopped an earlier try, the bytes it left are kept in a `.part`
file and fetched no second time (HTTP Range); a file counts only once its sha256 is right.

The checksums: the archive's is the sha256 beside the md5 that torchvision pins; the Parquet files'
are those of revision 0b27149 of uoft-cs/cifar10 as the Hub publishes them (Git LFS). The graphs'
files are small, and each has one source.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import requests
import urllib3
from filelock import FileLock, Timeout

from core.data.mirrors import GRAPHS, MIRRORS, RemoteFile
from core.data.sources import downloads
from core.data.torchvision_batches import TEST_BATCH, TRAIN_BATCHES
from core.errors import BadRequest, DownloadFailed
from core.files import cache_folder

CHUNK = 1 << 18


ENOUGH = 1 << 20
"""A try that got this many new bytes does not count as a failed one."""


@dataclass(frozen=True)
class DownloadProgress:
    """file: its name. done, total: bytes of that file. note: a sentence to show, may be empty."""

    file: str
    done: int
    total: int
    note: str = ""


class _TryAgain(Exception):
    """A failure that may pass."""


def download(
    name: str = "cifar10",
    mirror: str = "archive",
    cache: Path | None = None,
    *,
    mirrors: Mapping[str, tuple[RemoteFile, ...]] | None = None,
    timeout: float = 20.0,
    tries: int = 5,
    pause: float = 1.0,
) -> Iterator[DownloadProgress]:
    """Fetches the data set into the cache, where `load_dataset` or `load_graph` finds it.

    name: "cifar10", or one of `GRAPHS`. mirror: which to begin with; after "archive" fails,
    "parquet" is tried. mirrors: in place of those that are known.
    timeout: seconds without a byte until the connection is given up.
    tries: failures in a row until a file is given up, with `pause`, 2 `pause`, 4 `pause` .. seconds
    between them. A refusal such as 404 is final at once.
    Closing the generator stops the download; the next one goes on from there.
    Raises DownloadFailed, BadRequest for an unknown name.
    """
    if name not in ("cifar10", *GRAPHS):
        offered = ", ".join(("cifar10", *GRAPHS))
        raise BadRequest(f"There is nothing to download for {name!r}.", f"Offered: {offered}.")
    if mirrors is None:
        mirrors = {"archive": GRAPHS[name]} if name in GRAPHS else MIRRORS
    if mirror not in mirrors:
        raise BadRequest(f"There is no mirror {mirror!r}.", f"Use {' or '.join(mirrors)}.")
    folder = downloads(cache_folder() if cache is None else cache, name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "download.lock", timeout=0):
            mirror_names = [mirror, *(m for m in mirrors if mirror == "archive" and m != mirror)]
            for i, mirror_name in enumerate(mirror_names):
                try:
                    for file in mirrors[mirror_name]:
                        yield from _fetch(file, folder, timeout, tries, pause)
                    if name == "cifar10":
                        yield from _put_in_place(mirror_name, mirrors[mirror_name][0], folder)
                    return
                except DownloadFailed as error:
                    if i + 1 == len(mirror_names):
                        raise
                    first = mirrors[mirror_names[i + 1]][0]
                    yield DownloadProgress(
                        first.name, 0, first.size, f"{error.message} Trying another source."
                    )
    except Timeout as error:
        raise DownloadFailed(
            "Another download of this data is already running.", "Wait for it to end."
        ) from error
    except OSError as error:
        raise DownloadFailed(
            f"The download cannot be kept in {folder} ({error.strerror or error}).",
            "Check space and permissions, or set FORGETTING_LAB_CACHE to another folder.",
        ) from error


def _fetch(
    file: RemoteFile, folder: Path, timeout: float, tries: int, pause: float
) -> Iterator[DownloadProgress]:
    """One file, with its checksum right at the end."""
    target, part = folder / file.name, folder / f"{file.name}.part"
    if target.exists():
        if _sha256(target) == file.sha256:
            yield DownloadProgress(file.name, file.size, file.size)
            return
        target.unlink()
    failures = 0
    while True:
        before = _size(part)
        try:
            yield from _stream(file, part, timeout)
            if _sha256(part) == file.sha256:
                os.replace(part, target)
                return
            part.unlink()
            before = ENOUGH  # Wrong bytes are no progress.
            raise _TryAgain("the bytes are not the right ones (checksum)")
        except (_TryAgain, requests.RequestException, urllib3.exceptions.HTTPError) as error:
            failures = 1 if _size(part) - before >= ENOUGH else failures + 1
            why = str(error) if isinstance(error, _TryAgain) else "the connection broke"
            if failures >= tries:
                raise DownloadFailed(
                    f"{file.name} could not be downloaded: {why}.",
                    "Try again later (it goes on from where it stopped), or name a folder "
                    "that has the data.",
                ) from error
        # In slices, so that closing the generator works while it waits.
        until = time.monotonic() + pause * 2 ** (failures - 1)
        waiting = DownloadProgress(
            file.name, _size(part), file.size, f"{why.capitalize()}; trying again."
        )
        yield waiting
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(0.2, left))
            yield waiting


def _stream(file: RemoteFile, part: Path, timeout: float) -> Iterator[DownloadProgress]:
    """Appends what is missing to `part`. Returns only if the server sent all that it announced."""
    received = _size(part)
    headers = {"Accept-Encoding": "identity"}
    if received:
        headers["Range"] = f"bytes={received}-"
    with requests.get(file.url, headers=headers, stream=True, timeout=timeout) as response:
        if response.status_code == 416:
            # All of it is here already, or more than there is: the checksum tells.
            if received != file.size:
                part.unlink()
                raise _TryAgain("the server has no such range")
            return
        if response.status_code >= 400:
            if response.status_code >= 500 or response.status_code in (408, 429):
                raise _TryAgain(f"the server answers {response.status_code}")
            raise DownloadFailed(
                f"{file.name} could not be downloaded: the server answers {response.status_code}.",
                "Name a folder that has the data instead.",
            )
        resumed = response.status_code == 206
        content_range = response.headers.get("Content-Range", "")
        if resumed and not content_range.startswith(f"bytes {received}-"):
            part.unlink(missing_ok=True)
            raise _TryAgain("the server sent another range")
        done = received if resumed else 0
        length = response.headers.get("Content-Length", "")
        total = done + int(length) if length.isdigit() else None
        if total is not None and total > 4 * file.size:
            raise _TryAgain("the server offers another file")
        with part.open("ab" if resumed else "wb") as out:
            yield DownloadProgress(file.name, done, total or file.size)
            # read1 gives what has arrived, so that a slow server still shows progress.
            while chunk := response.raw.read1(CHUNK):
                out.write(chunk)
                done += len(chunk)
                if done > 4 * file.size:
                    raise _TryAgain("the server sends another file")
                yield DownloadProgress(file.name, done, total or file.size)
        if total is not None and done < total:
            raise _TryAgain("the connection broke off")


def _put_in_place(mirror: str, last: RemoteFile, folder: Path) -> Iterator[DownloadProgress]:
    """Unpacks CIFAR-10's archive. Files of the other layout must not be read instead of these."""
    if mirror == "archive":
        yield DownloadProgress(last.name, last.size, last.size, "Unpacking.")
        _unpack(folder / last.name, folder)
        for other in folder.glob("*.parquet"):
            other.unlink()
    else:
        shutil.rmtree(folder / "cifar-10-batches-py", ignore_errors=True)


def _unpack(archive: Path, folder: Path) -> None:
    """The six batches of the archive, by name; nothing else in it is touched."""
    target = folder / "cifar-10-batches-py"
    part = folder / "cifar-10-batches-py.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    try:
        with tarfile.open(archive, "r:gz") as tar:
            wanted = {f"{target.name}/{batch}" for batch in (*TRAIN_BATCHES, TEST_BATCH)}
            for member in tar:
                content = tar.extractfile(member) if member.name in wanted else None
                if content is not None:
                    with content, (part / Path(member.name).name).open("wb") as out:
                        shutil.copyfileobj(content, out)
                    wanted.discard(member.name)
        if wanted:
            raise DownloadFailed(f"{archive.name} lacks {min(wanted)}.")
        shutil.rmtree(target, ignore_errors=True)
        os.replace(part, target)
    except (tarfile.TarError, EOFError) as error:
        raise DownloadFailed(f"{archive.name} cannot be unpacked.") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    archive.unlink()


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
