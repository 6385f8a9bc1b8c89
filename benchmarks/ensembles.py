"""What many models of a method say that one cannot: KLoM, the challenge's epsilon and score, and
how much influence is erased. On the digits, where a training takes a minute.

From each of `SEEDS` a base is trained, and by each method made to forget; beside them stand as many
models retrained without the images. A second lot of retrained models is a row of its own: it is as
near as can be. A row that is in the log is not measured again, a model that stands not trained.

    python -m benchmarks.ensembles
    python -m benchmarks.ensembles --methods fine_tune scrub
    python -m benchmarks.ensembles --table
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks import RESULTS
from benchmarks.log import Line, Log
from benchmarks.sweeps import COMPARED
from core.attacks.curve import Floats
from core.attacks.probabilities import confidences
from core.checkpoints.memorisation import split_of
from core.checkpoints.outcomes import outcomes
from core.checkpoints.records import stored_records
from core.checkpoints.references import train_model
from core.checkpoints.storage import Checkpoint
from core.data.dataset import ImageDataset
from core.data.load import load_dataset
from core.data.request_text import parse_request
from core.data.splits import Split
from core.evaluation import per_image
from core.files import cache_folder
from core.metrics.ensembles import epsilons, forgetting_quality, influence_erasure, klom
from core.metrics.evidence import Outcome
from core.models.precision import best_device
from core.models.recipe import Recipe
from core.models.registry import recipe_for
from core.runs.offered_data import case_of, offered_data
from core.unlearners import CONTROLS, METHODS, make

LOG = Log("ensembles.jsonl")
DATASET = "digits"
CASES = ("random:0.1", "class:1")
SEEDS = tuple(range(1, 11))
AGAIN = "retrained again"
"""The row of as many more retrained models."""
COLUMNS = ("klom", "klom_test", "epsilon", "quality", "score", "erasure")


@dataclass(frozen=True)
class Lot:
    """A model for each seed: forget, test: confidences (models, images). losses: of the images to
    forget. retain_accuracy, test_accuracy: the means over the models."""

    forget: Floats
    test: Floats
    losses: Floats
    retain_accuracy: float
    test_accuracy: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures what the log lacks, then writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", nargs="*", default=[AGAIN, *CONTROLS, *COMPARED])
    parser.add_argument("--table", action="store_true", help="write the table, measure nothing")
    options = parser.parse_args(arguments)
    if not options.table:
        for case in CASES:
            rows = [row for row in options.methods if not LOG.has({"case": case, "method": row})]
            if rows:
                _measure(load_dataset(DATASET), case, rows)
    text = table(LOG.lines())
    (RESULTS / "ensembles.md").write_text(text)
    print(text)


def _measure(dataset: ImageDataset, case: str, rows: Sequence[str]) -> None:
    parts = split_of(dataset, parse_request(case))
    bases = [_base(dataset, seed) for seed in SEEDS]
    retrained = _retrained(dataset, case, SEEDS)
    ideal = _lot(retrained, dataset, parts)
    before = _lot([outcomes(base, None, dataset) for base in bases], dataset, parts)
    for row in rows:
        if row == AGAIN:
            more = [seed + len(SEEDS) for seed in SEEDS]
            after = _lot(_retrained(dataset, case, more), dataset, parts)
        else:
            found = [_unlearned(base, dataset, parts, row) for base in bases]
            after = _lot(found, dataset, parts)
        line = {"case": case, "method": row, "models": len(SEEDS), **numbers(before, after, ideal)}
        LOG.add(line)
        print(line, flush=True)


def numbers(before: Lot, after: Lot, ideal: Lot) -> dict[str, float]:
    """`COLUMNS`. The score is the challenge's: quality, times what is left of the accuracy on
    images to keep and on new ones."""
    quality = forgetting_quality(after.forget, ideal.forget)
    kept = after.retain_accuracy / ideal.retain_accuracy
    again = np.roll(ideal.losses, 1, axis=0)  # the retraining from another seed
    found = {
        "klom": klom(after.forget, ideal.forget).mean(),
        "klom_test": klom(after.test, ideal.test).mean(),
        "epsilon": np.median(epsilons(after.forget, ideal.forget)),
        "quality": quality,
        "score": quality * kept * after.test_accuracy / ideal.test_accuracy,
        "erasure": influence_erasure(before.losses, after.losses, ideal.losses, again),
    }
    return {name: round(float(value), 4) for name, value in found.items()}


def _recipe() -> Recipe:
    return recipe_for("compact", DATASET)


def _base(dataset: ImageDataset, seed: int) -> Checkpoint:
    root = cache_folder() / "ensembles" / f"seed-{seed}"
    steps = train_model("compact", dataset, _recipe(), seed=seed, root=root, device=best_device())
    return next(item for item in steps if isinstance(item, Checkpoint))


def _retrained(
    dataset: ImageDataset, case: str, seeds: Sequence[int]
) -> list[tuple[Outcome, Outcome]]:
    models = []
    for seed in seeds:
        steps = train_model(
            "compact",
            dataset,
            _recipe(),
            without=parse_request(case),
            seed=seed,
            root=cache_folder() / "ensembles" / "retrained",
            device=best_device(),
            keep="logits",
        )
        models += [item for item in steps if isinstance(item, Checkpoint)]
    return [outcomes(model, None, dataset) for model in models]


def _unlearned(
    base: Checkpoint, dataset: ImageDataset, parts: Split, name: str
) -> tuple[Outcome, Outcome]:
    """A base after a method, both from the base's seed."""
    method = make(name, None, case_of(dataset, parts))
    model = base.load(best_device())
    records = stored_records(base, model, dataset, method.needs)
    data = offered_data(dataset, parts, method.needs, base, records)
    seed = int(base.manifest["seed"])
    list(method.run(model, data, torch.Generator().manual_seed(seed)))
    return (
        per_image(model, dataset.train_images, dataset.train_labels),
        per_image(model, dataset.test_images, dataset.test_labels),
    )


def _lot(found: Sequence[tuple[Outcome, Outcome]], dataset: ImageDataset, parts: Split) -> Lot:
    labels = dataset.train_labels.numpy(), dataset.test_labels.numpy()

    def sure(side: int, indices: np.ndarray) -> Floats:
        each = []
        for outcome in found:
            seen = outcome[side].at(indices)
            assert seen.logits is not None
            each.append(confidences(seen.logits, labels[side][indices]))
        return np.stack(each)

    def right(side: int, indices: np.ndarray) -> float:
        said = np.stack([outcome[side].predictions[indices] for outcome in found])
        return float((said == labels[side][indices]).mean())

    losses = np.stack([train.losses[parts.forget] for train, _ in found]).astype(np.float64)
    return Lot(
        forget=sure(0, parts.forget),
        test=sure(1, parts.test_retained),
        losses=np.nan_to_num(losses, nan=0.0, posinf=1e4),
        retain_accuracy=right(0, parts.retain),
        test_accuracy=right(1, parts.test_retained),
    )


def table(lines: Sequence[Line]) -> str:
    """A table a case, the nearest by the challenge's score first, the controls marked."""
    models = lines[0]["models"] if lines else len(SEEDS)
    rows = [
        "# Many models of a method against as many retrained ones: digits, compact\n",
        f"`python -m benchmarks.ensembles`; {models} bases from as many seeds, each made to "
        "forget. KLoM: nats between the confidences in an image to forget (and a new one) that "
        "these and the retrained models have; epsilon: the median of the challenge's; quality and "
        "score: the challenge's, 1 is best; erased: 1 as near to a retraining in the losses of "
        "the images to forget as another one, 0 as before. So few models differ by luck: "
        f"*{AGAIN}* is as good "
        "as can be.\n",
    ]
    for case, of in itertools.groupby(lines, key=lambda line: line["case"]):
        rows += [
            f"## {case}\n",
            "| method | KLoM, to forget | KLoM, new | epsilon | quality | score | erased |",
            "| --- | --- | --- | --- | --- | --- | --- |",
        ]
        for line in sorted(of, key=lambda line: -line["score"]):
            name = line["method"]
            if name == AGAIN or name in CONTROLS:
                name = f"*{name}*"
            elif name in METHODS:
                name = METHODS[name].label
            cells = ["" if line[x] is None else f"{line[x]:.2f}" for x in COLUMNS]
            rows.append(f"| {name} | {' | '.join(cells)} |")
        rows.append("")
    return "\n".join(rows).rstrip() + "\n"


if __name__ == "__main__":
    main()
