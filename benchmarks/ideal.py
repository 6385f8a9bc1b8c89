"""How far the ideal that is put together from the folds lies from real retraining.

For each request a model is retrained from two seeds (in the cache folder; what stands is not
trained again) and measured as the ideal from the folds is. A difference is judged by how far the
two retrainings lie apart, and by the images there are.

    python -m benchmarks.ideal --dataset digits
    python -m benchmarks.ideal --dataset cifar10 --data ../shared/data/cifar10
    python -m benchmarks.ideal --table
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import normalize

from benchmarks import RESULTS
from benchmarks.log import Line, Log
from core.checkpoints import memorisation, storage
from core.checkpoints.features import features
from core.checkpoints.outcomes import evaluate_outcomes
from core.checkpoints.references import train_model
from core.checkpoints.storage import Checkpoint
from core.data.dataset import ImageDataset
from core.data.images import Images
from core.data.load import load_dataset
from core.data.request_text import parse_request
from core.data.requests import ForgetRequest
from core.errors import CheckpointMissing
from core.evaluation import measure
from core.files import SHIPPED
from core.ideal import fold_ideal, fold_models
from core.metrics.measures import Evaluation
from core.metrics.registry import METRICS
from core.models.precision import best_device
from core.models.registry import recipe_of

LOG = Log("ideal.jsonl")
SEEDS = (1, 2)
COMPARED = ("forget_accuracy", "mia", "margin_auc", "retained_test_accuracy")
REQUESTS = {
    "digits": [("random:30", 1), ("random:30", 2), ("random:90", 3), ("random:90", 4),
               ("memorised:30", 0), ("memorised:50", 0)],
    "cifar10": [(f"random:{count}", seed) for count in (500, 2000, 5000) for seed in (1, 2)]
    + [("memorised-v2:500", 0), ("memorised-v2:2000", 0), ("class:cat:0.2", 0)]
    + [("class:cat,dog", 0), ("nearest:500", 0)],
}  # fmt: skip
"""What is to be forgotten, with the seeds that draw it; "nearest" to the first training image, as
the base sees them from inside."""
MARGINS = {name: METRICS[name].margin for name in COMPARED if METRICS[name].margin}


def main() -> None:
    """Measures what the log lacks, then writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", choices=REQUESTS, default="digits")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--table", action="store_true", help="write the table, train nothing")
    options = parser.parse_args()
    if not options.table:
        dataset = load_dataset(options.dataset, options.data)
        for request, seed in REQUESTS[options.dataset]:
            key = {"dataset": options.dataset, "request": request, "forget_seed": seed}
            if not LOG.has(key):
                LOG.add(key | measured(dataset, request, seed))
    found = table(LOG.lines())
    (RESULTS / "ideal.md").write_text(found)
    (SHIPPED / "ideal.json").write_text(json.dumps(for_the_app(LOG.lines()), indent=1) + "\n")
    print(found)


def request_of(dataset: ImageDataset, text: str, forget_seed: int) -> ForgetRequest:
    """As the shell takes it, or "nearest:N"."""
    kind, _, count = text.partition(":")
    if kind != "nearest":
        return parse_request(text, forget_seed)
    model = storage.find("compact", dataset.name).load(best_device())
    every = torch.arange(len(dataset.train_labels))
    seen = normalize(features(model, Images(dataset.train_images, dataset.train_labels, every)))
    return ForgetRequest.of_indices((seen @ seen[0]).topk(int(count)).indices.tolist())


def measured(dataset: ImageDataset, request: str, forget_seed: int) -> Line:
    """What the folds say of a request, and two retrainings."""
    wanted = request_of(dataset, request, forget_seed)
    parts = memorisation.split_of(dataset, wanted)
    ideal = fold_models("compact", dataset)
    if ideal is None:
        raise CheckpointMissing(f"The models of the folds of {dataset.name} are not here.")
    base = storage.find("compact", dataset.name)
    recipe = recipe_of(base.manifest, dataset.name)
    retrained = []
    for seed in SEEDS:
        steps = train_model(
            "compact", dataset, recipe, without=wanted, seed=seed, device=best_device()
        )
        model = next(item for item in steps if isinstance(item, Checkpoint))
        retrained.append(_numbers(evaluate_outcomes(model, None, dataset, parts)))
        print(request, forget_seed, seed, retrained[-1], flush=True)
    return {
        "kind": wanted.kind,
        "images": len(parts.forget),
        "offered": fold_ideal("compact", dataset, parts) is not None,
        "folds": _numbers(measure(ideal.evidence(dataset, parts))),
        "retrained": retrained,
    }


def _numbers(evaluation: Evaluation) -> dict[str, float]:
    return {name: evaluation.value(name) for name in COMPARED}


def table(lines: Sequence[Line]) -> str:
    """One row a request: from the folds less the mean of the retrainings, and what the latter
    differ by, in points."""
    header = ["data", "request", "seed", "images", *COMPARED]
    rows = [
        "# The ideal from the folds, against real retraining\n",
        "`python -m benchmarks.ideal`. Points: from the folds less the mean of two retrainings, "
        "and in brackets by how much these two differ. *In italics*: sets for which the app does "
        "not offer it, and retraining instead.\n",
        f"| {' | '.join(name.replace('_', ' ') for name in header)} |",
        "| --- |" + " --- |" * (len(header) - 1),
    ]
    for line in lines:
        cells = [f"{_off(line, name):+.1f} ({_apart(line, name):.1f})" for name in COMPARED]
        request = line["request"] if line["offered"] else f"*{line['request']}*"
        about = [line["dataset"], request, line["forget_seed"], line["images"]]
        rows.append(f"| {' | '.join(map(str, [*about, *cells]))} |")
    for name, of in itertools.groupby(lines, key=lambda line: line["dataset"]):
        some = [line for line in of if line["offered"]]
        cells = [f"{_mean(abs(_off(x, metric)) for x in some):.1f}" for metric in COMPARED]
        cells = [
            f"{cell} ({_mean(_apart(x, metric) for x in some):.1f})"
            for cell, metric in zip(cells, COMPARED, strict=True)
        ]
        rows.append(f"| **{name}, mean size** | | | | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def for_the_app(lines: Sequence[Line]) -> dict[str, dict[str, Any]]:
    """What `core.checkpoints.spread.fold_error` reads: by model and data set and kind of request,
    how many sets were measured, and the largest errors. Sets for which the app has another ideal or
    none are left out."""
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        if not line["offered"]:
            continue
        of_data = found.setdefault(f"compact-{line['dataset']}", {})
        entry = of_data.setdefault(line["kind"], {"sets": 0, "largest": dict.fromkeys(MARGINS, 0)})
        entry["sets"] += 1
        for name in MARGINS:
            off = round(abs(_off(line, name)) / 100, 5)
            entry["largest"][name] = max(entry["largest"][name], off)
    return found


def _off(line: Line, name: str) -> float:
    """Points by which the folds' number is larger than the retrainings' mean."""
    real = statistics.mean(model[name] for model in line["retrained"])
    return 100 * (float(line["folds"][name]) - real)


def _apart(line: Line, name: str) -> float:
    """Points by which the two retrainings differ."""
    first, second = (float(model[name]) for model in line["retrained"])
    return 100 * abs(first - second)


def _mean(values: Iterable[float]) -> float:
    return statistics.mean(values)


if __name__ == "__main__":
    main()
