"""How far apart two models lie that were retrained without the same images from different seeds.

What is smaller than twice that is luck: `core.verdict` takes it as a margin. Measures the shipped
references, so it takes a minute. With a recipe's name it is about the models of
`benchmarks.models` and ends in results/spread.md.

    python -m benchmarks.spread --data ../shared/data/cifar10
    python -m benchmarks.spread --data ../shared/data/cifar10 --recipe muon
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import CLASS, MEMORISED, RANDOM, RESULTS
from benchmarks.models import OTHER_SEEDS, TWICE
from core.checkpoints import memorisation, storage
from core.checkpoints.outcomes import evidence_of, read_outcomes
from core.checkpoints.spread import kind_of
from core.checkpoints.storage import REFERENCE_SEED, Checkpoint
from core.data.dataset import ImageDataset
from core.data.load import load_dataset
from core.data.names import CIFAR10_CLASSES
from core.data.request_text import parse_request
from core.data.requests import FOLDS, ForgetRequest
from core.data.splits import Split
from core.evaluation import evaluate, measure
from core.files import SHIPPED
from core.ideal import find_reference, fold_models
from core.models.recipe import NAMED
from core.verdict import judge

COLUMNS = ("UA", "RA", "TA", "simple MIA", "fair MIA", "margin AUC")
Row = Mapping[str, float]


def main() -> None:
    """Writes models_cache/spread.json, or results/spread.md where a recipe is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--recipe", choices=NAMED)
    options = parser.parse_args()
    dataset = load_dataset("cifar10", options.data)
    if options.recipe:
        found = report(dataset, options.recipe)
        (RESULTS / "spread.md").write_text(found)
        print(found)
        return
    found = {f"compact-{dataset.name}": by_kind(dataset)}
    (SHIPPED / "spread.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


def by_kind(dataset: ImageDataset) -> dict[str, Any]:
    """By kind of forget set: the standard deviation of each signal, between models that were
    retrained without the same images, within what stands of more than one seed."""
    squares: dict[str, dict[str, list[float]]] = {}
    pairs: Counter[str] = Counter()
    folds, seen = fold_models("compact", dataset), set()
    for case in (RANDOM, CLASS, MEMORISED, *TWICE):
        parts = memorisation.split_of(dataset, parse_request(case))
        if parts.digest in seen:
            continue
        seen.add(parts.digest)
        references = folds.references(dataset, parts) if folds else None
        kind = kind_of(bool(parts.whole_classes))
        measured = [
            measure(evidence_of(model, None, dataset, parts, references))
            for model in _retrained(dataset, parts)
        ]
        for first, second in combinations(measured, 2):
            pairs[kind] += 1
            verdict = judge(first, first, second)
            assert verdict is not None
            for signal in verdict.signals:
                # Half the squared difference of two draws estimates their variance.
                half = signal.difference.value**2 / 2
                squares.setdefault(kind, {}).setdefault(signal.name, []).append(half)
    return {
        "command": "python -m benchmarks.spread --data ../shared/data/cifar10",
        "pairs": dict(pairs),
        "standard_deviations": {
            kind: {name: round(math.sqrt(np.mean(values)), 5) for name, values in of_kind.items()}
            for kind, of_kind in squares.items()
        },
    }


def _retrained(dataset: ImageDataset, parts: Split) -> list[Checkpoint]:
    """Each model retrained without these images."""
    seeds = storage.retrained_seeds("compact", dataset.name, parts.digest)
    found = (find_reference("compact", dataset, parts, seed) for seed in seeds)
    return [model for model in found if model is not None]


# Of the models of one recipe


def report(dataset: ImageDataset, recipe: str) -> str:
    """The spread of all retrained models that stand, as Markdown."""
    of_folds = [f"fold:{fold}" for fold in range(FOLDS)]
    of_classes = [f"class:{name}" for name in CIFAR10_CLASSES]
    seeds = (REFERENCE_SEED, *OTHER_SEEDS)
    groups = {
        "each fold once": _rows(dataset, recipe, of_folds),
        "each class once": _rows(dataset, recipe, of_classes),
        **{f"{case}, three seeds": _rows(dataset, recipe, [case], seeds) for case in TWICE},
    }
    lines = [
        "# How far apart retrained models lie",
        "",
        f"`python -m benchmarks.spread --data ../shared/data/cifar10 --recipe {recipe}`: CIFAR-10, "
        "compact; mean ± standard deviation. UA: error on the forget set; RA, TA: accuracy on the "
        "retain and the test set, all in percent. Simple MIA: the attack on losses against all "
        "test images; fair: against those of the same class where a class is forgotten. Margin "
        "AUC: how often a forget image has the larger margin (its label's logit less the largest "
        "other) beside such a test image.",
        "",
        f"| without | models | {' | '.join(COLUMNS)} |",
        "| --- |" + " --- |" * (len(COLUMNS) + 1),
    ]
    for name, rows in groups.items():
        cells = [_mean_and_deviation([row[column] for row in rows]) for column in COLUMNS]
        lines.append(f"| {name} | {len(rows)} | {' | '.join(cells)} |")
    for kind, cases in (("folds", TWICE[:2]), ("classes", TWICE[2:])):
        between = [groups[f"{case}, three seeds"] for case in cases]
        cells = [f"{_pooled([[r[c] for r in rows] for rows in between]):.4g}" for c in COLUMNS]
        lines.append(f"| **between seeds, {kind}** | | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _rows(
    dataset: ImageDataset, recipe: str, cases: Iterable[str], seeds: Iterable[int] = (1,)
) -> list[Row]:
    """The numbers of each model that stands."""
    folder = storage.folder_of("compact", dataset.name, SHIPPED / recipe)
    found = []
    for case in cases:
        request = parse_request(case)
        parts = memorisation.split_of(dataset, request)
        for seed in seeds:
            role = storage.retrained_role(parts.digest, seed)
            if kept := storage.find_in(folder, role):
                found.append(_numbers(kept, dataset, request))
    return found


def _numbers(kept: Checkpoint, dataset: ImageDataset, request: ForgetRequest) -> Row:
    parts = memorisation.split_of(dataset, request)
    measured = read_outcomes(kept, dataset, logits=True)
    assert measured is not None
    every_label = dataset.train_labels, dataset.test_labels
    whole = evaluate(*measured, *every_label, parts)
    return {
        "UA": 100 * (1 - whole.value("forget_accuracy")),
        "RA": 100 * whole.value("retain_accuracy"),
        "TA": 100 * whole.value("test_accuracy"),
        "simple MIA": whole.value("mia"),
        "fair MIA": whole.value("mia_class_matched" if request.class_matched else "mia"),
        "margin AUC": whole.value("margin_auc"),
    }


def _mean_and_deviation(values: list[float]) -> str:
    if not values:
        return ""
    text = f"{np.mean(values):.4g}"
    return f"{text} ± {np.std(values, ddof=1):.2g}" if len(values) > 1 else text


def _pooled(groups: list[list[float]]) -> float:
    """The standard deviation within groups."""
    squares = [np.var(values, ddof=1) for values in groups if len(values) > 1]
    return math.sqrt(float(np.mean(squares))) if squares else math.nan


if __name__ == "__main__":
    main()
