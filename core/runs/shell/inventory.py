"""What this machine has: library versions, data sets, models and runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from core.checkpoints import storage
from core.checkpoints.provenance import versions
from core.data.sources import available
from core.files import cache_folder
from core.models.precision import best_device
from core.models.registry import ARCHITECTURES
from core.runs.store.store import Store


def inventory(folder: Path | None, roots: Iterable[Path]) -> dict[str, Any]:
    """JSON-ready. folder: of the images, where one is named. roots: folders of models."""
    roots = tuple(roots)
    models = {}
    for architecture in ARCHITECTURES:
        for root in roots:
            for models_folder in sorted(root.glob(f"{architecture}-*")):
                for manifest in sorted(models_folder.glob("*.json")):
                    checkpoint = storage.find_in(models_folder, manifest.stem)
                    if checkpoint:
                        models[f"{models_folder.name}/{manifest.stem}"] = checkpoint.manifest.get(
                            "accuracy", {}
                        )
    return {
        "versions": versions(best_device()),
        "cache": str(cache_folder()),
        "data": {name: available(name, folder) for name in ("cifar10", "digits")},
        "models": models,
        "runs": Store().count(),
    }


def inventory_lines(facts: Mapping[str, Any]) -> list[str]:
    """The same as text."""
    machine = ", ".join(f"{key} {value}" for key, value in facts["versions"].items())
    lines = [f"machine:  {machine}", f"cache:    {facts['cache']}"]
    for name, here in facts["data"].items():
        lines.append(f"data:     {name}: {'here' if here else 'not on this machine'}")
    for name, accuracy in facts["models"].items():
        numbers = ", ".join(f"{part} {100 * value:.1f} %" for part, value in accuracy.items())
        lines.append(f"model:    {name}: {numbers}")
    return [*lines, f"runs:     {facts['runs']}"]
