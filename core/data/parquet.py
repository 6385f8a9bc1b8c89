"""CIFAR-10 as the Hub has it: `train-*.parquet`, `test-*.parquet`, columns `img` (bytes, path) and
`label`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from core.data.contents import AGAIN, BATCH, Contents, Labels, Part, Pixels, decode_images
from core.errors import DataCorrupt

HUB_SHA256 = {
    "train-00000-of-00001.parquet": (
        "8428b53a88a11ac374111006708df51469e315a22ac6d66470afd9c78d2ae883"
    ),
    "test-00000-of-00001.parquet": (
        "841389e6f2d64f28bf17310e430aebac20ec3ba611a3c5e231dc93c645ce84de"
    ),
}
"""What the Hub has for uoft-cs/cifar10 (the original pixels, as PNG): it tells the original release
from other copies. Safety does not rest on it."""


def read_parquet(folder: Path, files: Sequence[Path]) -> Contents:
    halves = [
        [file for file in files if file.name.startswith(half)] for half in ("train-", "test-")
    ]
    names: tuple[str, ...] = ()
    parts = []
    for files in halves:
        labels = []
        for file in files:
            class_names, file_labels = _parquet_labels(file)
            labels.append(file_labels)
            names = names or class_names
        parts.append(Part(np.concatenate(labels), partial(_parquet_images, files)))
    official = {file.name for file in files} == set(HUB_SHA256) and all(
        hashlib.sha256(file.read_bytes()).hexdigest() == HUB_SHA256[file.name] for file in files
    )
    return Contents(parts[0], parts[1], names, official)


def _parquet_labels(file: Path) -> tuple[tuple[str, ...], Labels]:
    """The class names, where the file carries the Hub's metadata, and the labels (n,)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as parquet:
            schema = parquet.schema_arrow
            column = parquet.read(columns=["label"])["label"]
    except (OSError, KeyError, pa.ArrowException) as error:
        raise DataCorrupt(f"{file} is damaged or not a Parquet file of images.", AGAIN) from error
    if not pa.types.is_integer(column.type) or column.null_count:
        raise DataCorrupt(f"The labels in {file} are not all whole numbers.", AGAIN)
    names: tuple[str, ...] = ()
    try:
        metadata = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        names = tuple(str(n) for n in metadata["info"]["features"]["label"]["names"])
    except (ValueError, KeyError, TypeError):
        pass  # Class names are optional there.
    return names, column.to_numpy().astype(np.int64)


def _parquet_images(files: Sequence[Path]) -> Iterator[Pixels]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for file in files:
        first = 0
        try:
            with pq.ParquetFile(file) as parquet:
                columns = parquet.schema_arrow.names
                column = "img" if "img" in columns else "image"
                for batch in parquet.iter_batches(BATCH, columns=[column]):
                    rows = batch.column(0).to_pylist()
                    yield np.stack(
                        [
                            decode_images(_image_bytes(row), f"Image {first + i} of {file}")
                            for i, row in enumerate(rows)
                        ]
                    )
                    first += len(rows)
        except (OSError, KeyError, IndexError, pa.ArrowException) as error:
            raise DataCorrupt(f"{file} is damaged after image {first}.", AGAIN) from error


def _image_bytes(row: Any) -> bytes:
    content = row.get("bytes") if isinstance(row, dict) else row
    return content if isinstance(content, bytes) else b""
