"""What the benchmarks measured of every method on CIFAR-10, and the project ships."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from core.errors import LabError
from core.files import SHIPPED


def measured_methods(folder: Path = SHIPPED) -> list[dict[str, Any]]:
    """One row a method and case; none where nothing ships.

    Each row: method, case (a forget request as the shell takes it), gap (mean absolute
    difference to the retrained reference, points) with its 95 % interval low to high, seeds
    (whose means these are), attack (simple MIA; class-matched for a class), forget_accuracy,
    retained_test_accuracy and share (of retraining time), fractions, and seconds. tied: whether
    the method is the nearest or cannot be told from it. control: what the row does where it is
    no method but a trick that forgets nothing, else empty; no_nearer_than: the nearest such
    trick, where the method's gap is not surely smaller, else empty. The row of "retrain" is a
    second retraining, from another seed. Raises LabError for a damaged file.
    """
    file = folder / "methods.json"
    try:
        rows: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
        for row in rows:
            str(row["method"]), str(row["case"])
            float(row["gap"]), float(row["seconds"]), float(row["share"])
            float(row["low"]), float(row["high"]), int(row["seeds"]), bool(row["tied"])
            str(row["control"]), str(row["no_nearer_than"])
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise LabError(
            f"The measurements in {file} cannot be read.",
            "Run python -m benchmarks.methods again.",
        ) from error
    return rows
