"""Where CIFAR-10 can be fetched from, with the checksum of each file."""

from __future__ import annotations

from dataclasses import dataclass

from core.data.parquet import HUB_SHA256


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch. size: bytes, for the progress before the server has told its own."""

    name: str
    url: str
    sha256: str
    size: int


_HUB = (
    "https://huggingface.co/datasets/uoft-cs/cifar10/resolve/"
    "0b2714987fa478483af9968de7c934580d0bb9a2/plain_text/"
)


MIRRORS: dict[str, tuple[RemoteFile, ...]] = {
    "archive": (
        RemoteFile(
            "cifar-10-python.tar.gz",
            "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
            "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
            170_498_071,
        ),
    ),
    "parquet": tuple(
        RemoteFile(name, _HUB + name, HUB_SHA256[name], size)
        for name, size in (
            ("train-00000-of-00001.parquet", 119_705_255),
            ("test-00000-of-00001.parquet", 23_940_850),
        )
    ),
}
