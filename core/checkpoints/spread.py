"""How far apart retrained models lie: what `benchmarks.spread` measured and the project ships."""

from __future__ import annotations

import json
from pathlib import Path

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
    file = folder / "spread.json"
    try:
        spreads = json.loads(file.read_text(encoding="utf-8"))
        by_kind = spreads.get(f"{model}-{dataset}", {}).get("standard_deviations", {})
        deviations = by_kind.get(kind_of(whole_classes), {})
        return {str(name): float(value) for name, value in deviations.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise LabError(
            f"The measurements in {file} cannot be read.",
            "Run python -m benchmarks.spread again.",
        ) from error
