"""What a look inside a network showed, as a file."""

from __future__ import annotations

import contextlib
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.evaluation import MIRRORED, SAMPLED
from core.files import cache_folder, replacing
from core.metrics.evidence import Outcome, Sample, Samples, Seen

KEPT = 25
"""Files on this machine, a dozen megabytes each; those not asked for the longest make room."""
SIZES = "-".join(str(most) for most in (*SAMPLED.values(), *MIRRORED.values()))
"""Of the samples, in the names of the files: only the same images of two models compare."""


def kept_samples(name: str, look: Callable[[], Samples | None]) -> Samples | None:
    """What was seen under this name before on this machine, or else what `look` gives, which is
    kept for the next time."""
    file = cache_folder() / "samples" / f"{name}-{SIZES}.npz"
    if (kept := read_samples(file)) is not None:
        with contextlib.suppress(OSError):
            file.touch()  # it is not the oldest any more
        return kept
    samples = look()
    if samples is not None:
        write_samples(file, samples)
        others = sorted(file.parent.glob("*.npz"), key=lambda path: path.stat().st_mtime)
        for oldest in others[:-KEPT]:
            oldest.unlink(missing_ok=True)
    return samples


def write_samples(file: Path, samples: Samples) -> None:
    """Writes all, atomically."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, sample in samples.items():
        arrays[f"{name}/labels"], arrays[f"{name}/features"] = sample.labels, sample.features
        if sample.model is not None:
            arrays[f"{name}/model"] = sample.model
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
                model = arrays.get(f"{name}/model")
                samples[name] = Sample(labels, features, mirrored, model)
            return samples or None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
