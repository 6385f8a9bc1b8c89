"""The models that ideals, spreads and verdicts need, all trained with one recipe on CIFAR-10.

Trains what does not stand yet, in this order, into models_cache/RECIPE/; it can be broken off at
any moment and goes on where it was. All are kept with what they make of each of the 60,000 images
and with their weights, in float16: the verdict looks inside each of them, those of further seeds
(`OTHER_SEEDS`) too, which tell how far two retrainings lie apart. Two processes (`--only`) with
OMP_NUM_THREADS=1 each train more than one with two threads.

    python -m benchmarks.models --data ../shared/data/cifar10
    python -m benchmarks.models --data ../shared/data/cifar10 --only fold-3
    python -m benchmarks.models --list
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import CLASS, MEMORISED, RANDOM
from core.checkpoints.references import train_model
from core.data.dataset import ImageDataset
from core.data.load import load_dataset
from core.data.names import BACKDOOR, CIFAR10_CLASSES, TUNING, WRONG_LABELS
from core.data.request_text import parse_request
from core.data.requests import FOLDS, ForgetRequest
from core.files import SHIPPED
from core.models.precision import best_device
from core.models.recipe import NAMED, recipe_named
from core.robustness.poison import bad_images
from core.training.loop import TrainingProgress

TAMPERED = "tampered"
"""In place of a request: the images of a data set that were tampered with."""
OTHER_SEEDS = (2, 3)
TWICE = ("fold:0", "fold:1", CLASS, "class:cat")
"""What is retrained from other seeds as well."""


@dataclass(frozen=True)
class Wanted:
    """One model. without: a forget request as the shell takes it, "" for a base."""

    name: str
    dataset: str = "cifar10"
    without: str = ""
    seed: int | None = None


def wanted() -> Iterator[Wanted]:
    """All of them, those first that the others are compared with."""
    yield Wanted("base")
    for fold in range(FOLDS):
        yield Wanted(f"fold-{fold}", without=f"fold:{fold}")
    for name in CIFAR10_CLASSES:
        yield Wanted(f"class-{name}", without=f"class:{name}")
    for without in (MEMORISED, "memorised-v2:500"):
        yield Wanted(without.replace(":", "-"), without=without)
    for without in TWICE:
        for seed in OTHER_SEEDS:
            name = f"{without.replace(':', '-')}-seed{seed}"
            yield Wanted(name, without=without, seed=seed)
    for dataset, requests in (
        (TUNING, (RANDOM, CLASS)),
        (WRONG_LABELS, (TAMPERED,)),
        (BACKDOOR, (TAMPERED,)),
    ):
        yield Wanted(f"{dataset}-base", dataset)
        for without in requests:
            yield Wanted(f"{dataset}-{without.replace(':', '-')}", dataset, without)


def main() -> None:
    """Trains what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--recipe", choices=NAMED, default="muon")
    parser.add_argument("--only", nargs="*", metavar="NAME")
    parser.add_argument("--list", action="store_true", help="print the names, train nothing")
    options = parser.parse_args()
    for each in wanted():
        if options.only and each.name not in options.only:
            continue
        if options.list:
            print(each.name, each.dataset, each.without or "everything")
        else:
            trained(each, options.recipe, load_dataset(each.dataset, options.data))


def trained(each: Wanted, recipe: str, dataset: ImageDataset) -> None:
    """Trains one, unless it stands."""
    started, shown = time.monotonic(), 0.0
    arguments: dict[str, Any] = {
        "without": request_of(each, dataset),
        "seed": each.seed,
        "root": SHIPPED / recipe,
        "device": best_device(),
        "keep": "half",
    }
    for item in train_model("compact", dataset, recipe_named(recipe), **arguments):
        now = time.monotonic()
        if not isinstance(item, TrainingProgress):
            accuracy = {part: round(value, 4) for part, value in item.manifest["accuracy"].items()}
            print(f"{each.name}: {accuracy}, {now - started:.0f} s here", flush=True)
        elif now - shown > 60:
            shown = now
            left = f"{item.remaining / 60:.0f} min left" if item.remaining else "begun"
            print(f"{each.name}: step {item.step} of {item.total_steps}, {left}", flush=True)


def request_of(each: Wanted, dataset: ImageDataset) -> ForgetRequest | None:
    """What a model is trained without."""
    if each.without != TAMPERED:
        return parse_request(each.without) if each.without else None
    return bad_images(dataset)


if __name__ == "__main__":
    main()
