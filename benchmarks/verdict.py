"""How often the verdict is wrong: on models that never saw the forget set, and on controls.

Models retrained from other seeds are judged as if a method had left them, each against one of its
siblings: nine in ten should be "forgotten". Controls, which forget nothing, never should. A row
that is in the log is not measured again.

    python -m benchmarks.verdict --dataset digits
    python -m benchmarks.verdict --dataset cifar10 --data ../shared/data/cifar10
    python -m benchmarks.verdict --table
"""

from __future__ import annotations

import argparse
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks import RESULTS
from benchmarks.log import Line, Log
from core.checkpoints import storage
from core.checkpoints.outcomes import evidence_of
from core.checkpoints.references import train_model
from core.checkpoints.spread import retraining_spread
from core.checkpoints.storage import Checkpoint
from core.data.dataset import ImageDataset
from core.data.load import load_dataset
from core.data.names import CIFAR10_CLASSES
from core.data.request_text import parse_request
from core.data.requests import FOLDS
from core.data.splits import Split, split
from core.evaluation import Passes, measure
from core.ideal import find_ideal, fold_models
from core.metrics.evidence import Evidence, Outcome
from core.metrics.registry import METRICS
from core.models.precision import best_device
from core.models.registry import recipe_of
from core.runs.offered_data import case_of, offered_data
from core.runs.stages import LATE
from core.unlearners import CONTROLS, make
from core.verdict import Verdict, judge

LOG = Log("verdict.jsonl")
SEEDS = (1, 2, 3)
RETRAINED = {
    "digits": ("fold:0", "fold:1", "class:1", "class:8"),
    "cifar10": ("fold:0", "fold:1", "class:automobile", "class:cat"),
}
"""What models are retrained without, from each of `SEEDS`; each is judged against the next."""
TRICKED = {
    "digits": (*(f"fold:{f}" for f in range(FOLDS // 2)), *(f"class:{d}" for d in range(1, 10, 2))),
    "cifar10": (
        *(f"fold:{f}" for f in range(FOLDS // 2)), *(f"class:{n}" for n in CIFAR10_CLASSES[::2])
    ),
}  # fmt: skip
"""What each control is asked to forget."""


def main() -> None:
    """Measures what the log lacks, then writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", choices=RETRAINED, default="digits")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--table", action="store_true", help="write the table, measure nothing")
    options = parser.parse_args()
    if not options.table:
        dataset = load_dataset(options.dataset, options.data)
        for key in keys(options.dataset):
            if not LOG.has(key):
                found = verdict(dataset, key)
                LOG.add(key | found.to_dict())
                print(key, found.word, f"{found.share:.2f}", found.betrayed_by, flush=True)
    (RESULTS / "verdict.md").write_text(table(LOG.lines()))
    print(table(LOG.lines()))


def keys(dataset: str) -> Iterator[dict[str, Any]]:
    """What is judged: a model retrained from `seed` by one from `ideal`, or a control."""
    for request in RETRAINED[dataset]:
        for seed, ideal in zip(SEEDS, (*SEEDS[1:], SEEDS[0]), strict=True):
            yield {"dataset": dataset, "request": request, "seed": seed, "ideal": ideal}
    for control, request in itertools.product(CONTROLS, TRICKED[dataset]):
        yield {"dataset": dataset, "request": request, "control": control}


def verdict(dataset: ImageDataset, key: dict[str, Any]) -> Verdict:
    """The verdict on one model."""
    request = parse_request(key["request"])
    parts = split(dataset, request)
    base = storage.find("compact", dataset.name)
    folds = fold_models("compact", dataset)
    references = folds.references(dataset, parts) if folds else None
    if "control" in key:
        found = find_ideal("compact", dataset, parts)
        assert found is not None
        ideal = found.evidence(dataset, parts, references)
        after = _tricked(base, dataset, parts, key["control"], references, ideal)
    else:
        judged, sibling = (
            _retrained(dataset, key["request"], seed) for seed in (key["seed"], key["ideal"])
        )
        ideal = evidence_of(sibling, None, dataset, parts, references)
        after = evidence_of(judged, None, dataset, parts, references, ideal)
    before = evidence_of(base, None, dataset, parts, references, ideal)
    spread = retraining_spread("compact", dataset.name, bool(parts.whole_classes))
    asked = [m for m in METRICS.values() if "control" not in key or not m.needs & LATE]
    judgement = judge(*(measure(each, asked) for each in (before, after, ideal)), spread)
    assert judgement is not None
    return judgement


def _retrained(dataset: ImageDataset, request: str, seed: int) -> Checkpoint:
    """Trained where it does not stand yet; one of which only the answers were kept will not do."""
    base = storage.find("compact", dataset.name)
    steps = train_model(
        "compact",
        dataset,
        recipe_of(base.manifest, dataset.name),
        without=parse_request(request),
        seed=seed,
        device=best_device(),
    )
    return next(item for item in steps if isinstance(item, Checkpoint))


def _tricked(
    base: Checkpoint,
    dataset: ImageDataset,
    parts: Split,
    control: str,
    references: tuple[Outcome, Outcome] | None,
    ideal: Evidence,
) -> Evidence:
    """The base after a control, but for most of the images to keep: no control hides there."""
    method = make(control, None, case_of(dataset, parts))
    model = base.load(best_device())
    data = offered_data(dataset, parts, method.needs, base, {})
    list(method.run(model, data, torch.Generator().manual_seed(0)))
    passes = Passes(model, dataset, parts)
    passes.see("test")
    passes.see("train", parts.forget)
    labels = dataset.train_labels.numpy(), dataset.test_labels.numpy()
    samples = passes.samples()
    return Evidence(passes.train, passes.test, *labels, parts, samples, references, ideal)


def table(lines: Sequence[Line]) -> str:
    """The words by kind of model, then what each was betrayed by."""
    rows = [
        "# How often the verdict is wrong\n",
        "`python -m benchmarks.verdict`. A model retrained from another seed, judged as if a "
        "method had left it, should be called forgotten; a control never.\n",
        "| data | judged | models | words |",
        "| --- | --- | --- | --- |",
    ]
    for (name, kind), of in itertools.groupby(
        lines, key=lambda line: (line["dataset"], _kind(line))
    ):
        some = list(of)
        words = Counter(line["word"] for line in some).most_common()
        said = ", ".join(f"{count} {word}" for word, count in words)
        rows.append(f"| {name} | {kind} | {len(some)} | {said} |")
    wrong = [
        f"- {line['dataset']}, {line['request']}, {_kind(line)}: {line['word']}"
        + (f", by {line['betrayed_by']}" if line["betrayed_by"] else "")
        for line in lines
        if ("control" in line) == (line["word"] == "forgotten")
    ]
    return "\n".join([*rows, "", *(["Wrong:", "", *wrong] if wrong else ["None is wrong."])]) + "\n"


def _kind(line: Line) -> str:
    return str(line.get("control", "retrained"))


if __name__ == "__main__":
    main()
