"""Reads the pickles of the Planetoid files without unpickling anything that can act.

A pickle may name any function and have it called. Here only the few names that such files need are
known, and each stands for something harmless of this file: an array, a sparse matrix, a dictionary
of lists. Any other name is refused in one sentence, and nothing in the file is ever run.
"""

from __future__ import annotations

import io
import pickle
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import DataCorrupt

LARGEST = 1 << 26
"""Bytes: the largest of the files has a hundredth of that."""
AGAIN = "Get the files again."


class _Dtype:
    """The type of the numbers of an array: its name, and the order of its bytes."""

    NAMES = ("i4", "i8", "f4", "f8", "b1")

    def __init__(self, name: Any, *_: Any) -> None:
        self.name, self.order = _text(name), "<"

    def __setstate__(self, state: Any) -> None:
        self.order = _text(state[1])

    def made(self) -> np.dtype[Any]:
        if self.name not in self.NAMES or self.order not in "<>|=":
            raise ValueError("an array of something else than numbers")
        return np.dtype(self.order + self.name)


class _Array:
    """An array of numbers."""

    def __init__(self, *_: Any) -> None:
        self.values: NDArray[Any] = np.zeros(0)

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, by_columns, raw = state
        content = raw.encode("latin-1") if isinstance(raw, str) else bytes(raw)
        values = np.frombuffer(content, dtype.made())
        self.values = values.reshape(shape, order="F" if by_columns else "C")


class _Matrix:
    """A sparse matrix: the parts of its CSR form."""

    def __init__(self) -> None:
        self.parts: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.parts = {_text(key): value for key, value in state.items()}

    def made(self) -> Any:
        from scipy.sparse import csr_array

        content = tuple(self.parts[name].values for name in ("data", "indices", "indptr"))
        made = csr_array(content, shape=tuple(int(n) for n in self.parts["_shape"]))
        made.check_format(full_check=True)  # else an index out of range would be read as it stands
        return made


def _bytes(letters: Any, encoding: Any = "latin1") -> bytes:
    """How Python 3 writes bytes for Python 2."""
    if encoding != "latin1":
        raise ValueError("another encoding")
    return str(letters).encode("latin-1")


_KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("scipy.sparse.csr", "csr_matrix"): _Matrix,
    ("scipy.sparse._csr", "csr_matrix"): _Matrix,
    ("_codecs", "encode"): _bytes,
    ("collections", "defaultdict"): defaultdict,
    ("__builtin__", "list"): list,
    ("builtins", "list"): list,
}


class _Refused(Exception):
    """It names what no such file needs."""


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise _Refused(f"{module}.{name}")
        return _KNOWN[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused("an object outside of it")


def read_pickle(file: Path) -> Any:
    """An array, a SciPy CSR matrix, or a dictionary of lists, as the file has it.

    Raises DataCorrupt for a file that names anything else (nothing of it is run), is damaged or is
    far too large; OSError where it cannot be read.
    """
    if file.stat().st_size > LARGEST:
        raise DataCorrupt(f"{file} is far larger than such a file can be.", AGAIN)
    try:
        found = _Reader(io.BytesIO(file.read_bytes()), encoding="latin-1").load()
        if isinstance(found, _Matrix):
            return found.made()
        return found.values if isinstance(found, _Array) else found
    except _Refused as error:
        raise DataCorrupt(
            f"{file} asks for {error.args[0]!r}, which no file of a graph needs, and is refused.",
            "It may be malicious: get the files from their authors.",
        ) from error
    except Exception as error:  # whatever damaged bytes make an unpickler or an array stumble over
        raise DataCorrupt(f"{file} is damaged.", AGAIN) from error


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
