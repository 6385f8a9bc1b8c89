"""A run as files: one JSON file with its fields, one compressed npz file with its arrays.

The runs that ship with the project are such pairs; the database of runs (`core.runs.store`) keeps
the same npz files beside rows. Neither torch nor SQLAlchemy is imported, so that the front page can
show a finished run at once.

The npz file holds the per-image losses as "after/forget_losses", the arrays of the replay as
"replay/3/probe/test_losses", and as "record" the JSON of all other fields.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.errors import LabError, RunMissing, StoreCorrupt
from core.files import SHIPPED, replacing
from core.metrics.measures import Evaluation
from core.runs.plan import Plan
from core.runs.run import MODELS, Probe, Run, RunFacts, Snapshot
from core.runs.summary import RunSummary, summary_of

log = logging.getLogger(__name__)


Arrays = Mapping[str, NDArray[Any]]


Fields = dict[str, Any]


Kind = TypeVar("Kind", Snapshot, Probe)


_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")


def to_json(value: Any, indent: int | None = None) -> str:
    def plain(item: Any) -> Any:
        if isinstance(item, np.generic):
            return item.item()
        if isinstance(item, Mapping):
            return dict(item)
        raise TypeError(f"{type(item).__name__} cannot be written as JSON")

    return json.dumps(value, default=plain, sort_keys=True, indent=indent)


def fields_of(run: Run) -> Fields:
    """All of a run but its arrays and replay, JSON-ready."""
    fields = {f.name: getattr(run, f.name) for f in dataclasses.fields(RunFacts)}
    metrics = {}
    for name in MODELS:
        evaluation: Evaluation | None = getattr(run, name)
        metrics[name] = None if evaluation is None else evaluation.metrics()
    return {**fields, "plan": run.plan.to_dict(), "metrics": metrics}


def _take_apart(item: Snapshot | Probe, prefix: str, arrays: dict[str, NDArray[Any]]) -> Fields:
    """The scalars of a snapshot or probe; its arrays go into `arrays` under `prefix`."""
    scalars: Fields = {}
    for field in dataclasses.fields(item):
        value = getattr(item, field.name)
        if isinstance(value, np.ndarray):
            arrays[prefix + field.name] = value
        elif isinstance(value, Probe):
            scalars[field.name] = _take_apart(value, f"{prefix}{field.name}/", arrays)
        else:
            scalars[field.name] = value
    return scalars


def _put_together(kind: type[Kind], scalars: Fields, prefix: str, arrays: Arrays) -> Kind:
    """The inverse of `_take_apart`; what an earlier version kept and this one does not is left."""
    known = [f.name for f in dataclasses.fields(kind)]
    values = {name: scalars[name] for name in known if name in scalars}
    for name in ("probe", "rolling"):
        if values.get(name) is not None:
            values[name] = _put_together(Probe, values[name], f"{prefix}{name}/", arrays)
    found = {name: arrays[prefix + name] for name in known if prefix + name in arrays}
    return kind(**{**values, **found})


def pack(run: Run) -> bytes:
    """The npz file of a run: per-image losses of each model, the replay, and the fields as JSON."""
    arrays: dict[str, NDArray[Any]] = {}
    for name in MODELS:
        evaluation: Evaluation | None = getattr(run, name)
        if evaluation is not None:
            arrays |= {f"{name}/{key}": losses for key, losses in evaluation.arrays().items()}
    replay = [
        _take_apart(snapshot, f"replay/{i}/", arrays) for i, snapshot in enumerate(run.replay)
    ]
    record = to_json({**fields_of(run), "replay": replay}).encode()
    arrays["record"] = np.frombuffer(record, dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def unpack(content: bytes) -> tuple[Fields, Arrays]:
    """The fields, with "replay", and the arrays of an npz file. Raises ValueError if damaged."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return json.loads(arrays.pop("record").tobytes()), arrays
    except Exception as error:
        # zlib.error, struct.error, NotImplementedError, MemoryError, ...: what numpy and zipfile
        # raise on damaged bytes is no closed list, and any of it means the same.
        raise ValueError(f"not a run's array file: {error}") from error


def assemble(fields: Fields, replay: list[Fields], arrays: Arrays) -> Run:
    """A run from the fields of a row or JSON file and the content of its npz file."""
    values = {key: value for key, value in fields.items() if key not in ("metrics", "plan")}
    for name, metrics in fields["metrics"].items():
        if metrics is not None:
            own = {
                key[len(name) + 1 :]: x for key, x in arrays.items() if key.startswith(f"{name}/")
            }
            values[name] = Evaluation.build(metrics, own)
    snapshots = (
        _put_together(Snapshot, scalars, f"replay/{i}/", arrays) for i, scalars in enumerate(replay)
    )
    return Run(**values, plan=Plan.from_dict(fields["plan"]), replay=tuple(snapshots))


def write_file(path: Path, content: bytes) -> None:
    """Writes all or nothing, and is on the disk when it returns."""
    with replacing(path, durable=True) as part:
        part.write_bytes(content)


def read_arrays(path: Path, sha256: str, id: str) -> tuple[list[Fields], Arrays]:
    """The replay's scalars and the arrays of a run, checked. Raises StoreCorrupt."""
    remains = "Its numbers remain; to see its histograms again, run it again."
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StoreCorrupt(
            f"The per-image losses of run {id} are lost: {path} cannot be read.", remains
        ) from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise StoreCorrupt(
            f"The per-image losses of run {id} are lost: {path} is damaged.", remains
        )
    try:
        record, arrays = unpack(content)
    except ValueError as error:
        raise StoreCorrupt(
            f"The per-image losses of run {id} are lost: {path} cannot be understood.", remains
        ) from error
    return record["replay"], arrays


def checked_id(id: str) -> str:
    """`id`, if it can name a file. Ids come from addresses, so anything can stand there."""
    if not _ID.fullmatch(id):
        raise RunMissing(f"There is no run {id[:80]!r}.")
    return id


def run_to_files(run: Run, folder: str | Path) -> Path:
    """Writes ID.npz, then ID.json, into `folder`, and returns the JSON file's path."""
    path = Path(folder) / f"{checked_id(run.id)}.json"
    content = pack(run)
    fields = {**fields_of(run), "arrays_sha256": hashlib.sha256(content).hexdigest()}
    write_file(path.with_suffix(".npz"), content)
    write_file(path, (to_json(fields, indent=1) + "\n").encode())
    return path


def run_from_files(folder: str | Path, id: str) -> Run:
    """The inverse of `run_to_files`. Raises RunMissing or StoreCorrupt."""
    path = Path(folder) / f"{checked_id(id)}.json"
    fields, sha256 = read_fields(path)
    return assemble(fields, *read_arrays(path.with_suffix(".npz"), sha256, id))


def read_fields(path: Path) -> tuple[Fields, str]:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        return fields, fields.pop("arrays_sha256")
    except FileNotFoundError as error:
        raise RunMissing(f"There is no run {path.stem!r}.") from error
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise StoreCorrupt(f"The record {path} of a run cannot be read.") from error


def shipped_runs(folder: str | Path = SHIPPED / "runs") -> list[RunSummary]:
    """The runs that come with the project, by id; one that cannot be read is logged, not listed."""
    summaries = []
    for path in sorted(Path(folder).glob("*.json")):
        try:
            summaries.append(summary_of(read_fields(path)[0], shipped=True))
        except (LabError, TypeError, KeyError) as error:
            log.warning("shipped run %s left out: %s", path.name, error)
    return summaries
