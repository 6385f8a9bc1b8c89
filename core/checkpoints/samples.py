"""What a look inside a network showed, as a file."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.files import replacing
from core.metrics.evidence import Outcome, Sample, Samples, Seen


def write_samples(file: Path, samples: Samples) -> None:
    """Writes all, atomically."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, sample in samples.items():
        arrays[f"{name}/labels"], arrays[f"{name}/features"] = sample.labels, sample.features
        if sample.mirrored is not None:
            seen = sample.mirrored
            arrays[f"{name}/mirrored/labels"] = seen.labels
            arrays[f"{name}/mirrored/losses"] = seen.losses
            arrays[f"{name}/mirrored/predictions"] = seen.outcome.predictions
            arrays[f"{name}/mirrored/logits"] = seen.logits
    with replacing(file) as part, part.open("wb") as content:
        np.savez(content, **arrays)  # type: ignore[arg-type]


def read_samples(file: Path) -> Samples | None:
    """The inverse; None where the file is missing or cannot be read."""
    try:
        with np.load(file, allow_pickle=False) as arrays:
            samples = {}
            for name in sorted({key.split("/")[0] for key in arrays.files}):
                mirrored = None
                if f"{name}/mirrored/logits" in arrays:
                    about = f"{name}/mirrored"
                    outcome = Outcome(
                        arrays[f"{about}/losses"],
                        arrays[f"{about}/predictions"],
                        arrays[f"{about}/logits"],
                    )
                    mirrored = Seen(outcome, arrays[f"{about}/labels"])
                labels, features = arrays[f"{name}/labels"], arrays[f"{name}/features"]
                samples[name] = Sample(labels, features, mirrored)
            return samples or None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
