"""How far apart retrained models lie, and how far the ideal from the folds lies from them: what
benchmarks measured and the project ships."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import LabError
from core.files import SHIPPED


def kind_of(whole_classes: bool) -> str:
    """Of forget sets whose retrained models differ alike."""
    return "classes" if whole_classes else "scattered"


def retraining_spread(
    model: str, dataset: str, whole_classes: bool, folder: Path = SHIPPED
) -> dict[str, float]:
    """How far apart models lie that were retrained alike from different seeds, as
    `python -m benchmarks.spread` measured it: by signal of `core.verdict`, the standard deviation
    of one of them, a fraction; empty where there are none. whole_classes: of what was forgotten.
    Raises LabError for a damaged file."""
    with _measured(folder / "spread.json", model, dataset) as found:
        deviations = found.get("standard_deviations", {}).get(kind_of(whole_classes), {})
        return {str(name): float(value) for name, value in deviations.items()}


@dataclass(frozen=True)
class FoldError:
    """sets: forget sets of one kind, for each of which models were retrained. largest: by metric,
    the largest distance of the ideal from the folds to these, a fraction."""

    sets: int
    largest: dict[str, float]


def fold_error(model: str, dataset: str, kind: str, folder: Path = SHIPPED) -> FoldError | None:
    """How far the ideal from the folds lies from retraining for requests of this kind, as
    `python -m benchmarks.ideal` measured it; None where nobody did. Raises LabError for a damaged
    file."""
    with _measured(folder / "ideal.json", model, dataset) as found:
        if kind not in found:
            return None
        largest = {str(name): float(value) for name, value in found[kind]["largest"].items()}
        return FoldError(int(found[kind]["sets"]), largest)


@contextlib.contextmanager
def _measured(file: Path, model: str, dataset: str) -> Iterator[Any]:
    """What a file has of a model and a data set, empty where it has nothing; what cannot be made
    of it is a damaged file."""
    try:
        text = file.read_text(encoding="utf-8") if file.exists() else "{}"
        yield json.loads(text).get(f"{model}-{dataset}", {})
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise LabError(
            f"The measurements in {file} cannot be read.",
            f"Run python -m benchmarks.{file.stem} again.",
        ) from error
