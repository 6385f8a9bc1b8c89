"""What a training recipe costs and gives on CIFAR-10, compact: time, test accuracy after each
epoch, and how much the network knows by heart.

Trains what the log lacks, from new weights, and measures the test accuracy after each epoch, off
the clock; no weights are kept. A trial that was broken off goes on where it was. The simple attack
is that of a random tenth of the training images against the test images. Then the table.

    python -m benchmarks.training --data ../shared/data/cifar10 --recipe muon --seeds 3
    python -m benchmarks.training --data ../shared/data/cifar10 --recipe muon --set kernel_rate=0.05
    python -m benchmarks.training --table
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import math
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt
import torch
import vl_convert

from benchmarks import RANDOM, RESULTS
from benchmarks.log import Log
from core.checkpoints.provenance import versions
from core.data.dataset import ImageDataset
from core.data.images import Images
from core.data.load import load_dataset
from core.data.request_text import parse_request
from core.data.splits import split
from core.evaluation import evaluate, per_image
from core.files import cache_folder
from core.models.precision import best_device
from core.models.recipe import NAMED, Recipe
from core.models.registry import build_model
from core.training.loop import Trained, train

LOG = Log("training.jsonl")
MARKS = (0.85, 0.88)
"""Test accuracies that the time to is told of."""


def main() -> None:
    """Runs what the log lacks, then writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--recipe", choices=NAMED, default="muon")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", dest="changes")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--busy", action="store_true", help="other work beside: times do not count")
    parser.add_argument("--table", action="store_true", help="write the table, train nothing")
    options = parser.parse_args()
    if not options.table:
        recipe = changed(NAMED[options.recipe], options.changes)
        dataset = load_dataset("cifar10", options.data)
        for seed in range(options.seeds):
            key = {"recipe": recipe.to_dict(), "seed": seed}
            if not LOG.has(key):
                LOG.add(key | trial(dataset, recipe, seed) | {"busy": options.busy})
    write(LOG.lines())
    print(table(LOG.lines()))


def changed(recipe: Recipe, changes: Iterable[str]) -> Recipe:
    """A recipe with some fields as in "name=value"."""
    kinds = {field.name: type(field.default) for field in dataclasses.fields(Recipe)}
    values = {}
    for change in changes:
        name, _, value = change.partition("=")
        values[name] = kinds[name](json.loads(value) if kinds[name] is not str else value)
    return dataclasses.replace(recipe, **values)


def trial(dataset: ImageDataset, recipe: Recipe, seed: int) -> dict[str, Any]:
    """Trains once; JSON-ready."""
    device = best_device()
    model = build_model("compact", 10, torch.Generator().manual_seed(seed), device)
    everything = torch.arange(len(dataset.train_labels))
    images = Images(dataset.train_images, dataset.train_labels, everything)
    per_epoch = images.steps(recipe.batch_size)
    name = hashlib.sha256(json.dumps([recipe.to_dict(), seed]).encode()).hexdigest()[:16]
    folder = cache_folder() / "training"
    state, beside = folder / f"trial-{name}.state", folder / f"trial-{name}.json"
    folder.mkdir(parents=True, exist_ok=True)
    epochs = json.loads(beside.read_text()) if state.exists() and beside.exists() else []
    for item in train("compact", images, recipe, seed, device=device, into=model, state_file=state):
        if isinstance(item, Trained):
            seconds = item.seconds
        elif item.step % per_epoch == 0:
            clock = time.perf_counter()
            found = per_image(model, dataset.test_images, dataset.test_labels)
            test = float((found.predictions == dataset.test_labels.numpy()).mean())
            epochs = [row for row in epochs if row["epoch"] <= item.epoch]
            epochs.append({"epoch": item.epoch + 1, "test": test, "loss": round(item.loss, 4)})
            epochs[-1]["measuring"] = time.perf_counter() - clock
            epochs[-1]["seconds"] = item.seconds
            beside.write_text(json.dumps(epochs))
            print(short(recipe), seed, epochs[-1], flush=True)
    measured = [
        per_image(model, dataset.train_images, dataset.train_labels),
        per_image(model, dataset.test_images, dataset.test_labels),
    ]
    parts = split(dataset, parse_request(RANDOM))
    numbers = evaluate(*measured, dataset.train_labels, dataset.test_labels, parts)
    beside.unlink(missing_ok=True)
    right = measured[0].predictions == dataset.train_labels.numpy()
    return {
        "test": numbers.value("test_accuracy"),
        "train": float(right.mean()),
        "mia": numbers.value("mia"),
        "seconds": seconds,
        "epochs": epochs,
        "versions": versions(device),
    }


def short(recipe: Recipe) -> str:
    """What it has other than the SGD recipe."""
    plain = NAMED["sgd"].to_dict()
    changes = {k: v for k, v in recipe.to_dict().items() if plain.get(k) != v}
    return ", ".join(f"{name} {value}" for name, value in changes.items()) or "as it is: SGD"


def reached(line: Mapping[str, Any], accuracy: float) -> float | None:
    """Seconds of training after which the test accuracy was first that high, after an epoch."""
    return next((row["seconds"] for row in line["epochs"] if row["test"] >= accuracy), None)


def write(lines: Sequence[Mapping[str, Any]]) -> None:
    """The table, and the curves as a picture, under results/."""
    told = (
        "# Recipes for `compact` on CIFAR-10\n\n`python -m benchmarks.training` (one log line a "
        "training), `python -m benchmarks.airbench` for the released code. Percent; seconds of "
        "training, measuring not counted: medians, to be compared within one machine only.\n\n"
    )
    (RESULTS / "training.svg").write_text(vl_convert.vegalite_to_svg(curves(lines).to_dict()))
    picture = "\n![Test accuracy over the seconds of training, a line a training](training.svg)\n"
    (RESULTS / "training.md").write_text(told + table(lines) + beside_released(lines) + picture)


def beside_released(lines: Iterable[Mapping[str, Any]]) -> str:
    """What the released code does better than this project's recipe, and what not; "" where one of
    the two was not run."""
    recipes = by_recipe(lines)
    ours = recipes.get(short(NAMED["muon"]), [])
    found = ""
    for name, theirs in recipes.items():
        if not ours or not any(run.get("name") for run in theirs):
            continue
        test, train, mia = (
            [statistics.mean(run[key] for run in runs) for runs in (theirs, ours)]
            for key in ("test", "train", "mia")
        )
        longer = (_seconds(theirs) or math.nan) / (_seconds(ours) or math.nan)
        away = 100 * (test[0] - test[1])
        accuracies = [f"{100 * value:.1f} %" for value in (*test, *train)]
        found += (
            f"\n{name} ends {away:+.1f} points of test accuracy from the recipe `muon` "
            f"({accuracies[0]}, {accuracies[1]}), by a wider network, in {longer:.2f} of its time. "
            f"It is right on {accuracies[2]} of its training images (`muon`: {accuracies[3]}), and "
            f"the attack scores {mia[0]:.3f} (`muon`: {mia[1]:.3f}): a laboratory of forgetting "
            "needs a network that knows by heart what it is to forget.\n"
        )
    return found


def curves(lines: Iterable[Mapping[str, Any]]) -> alt.Chart:
    """Test accuracy over the seconds of training: a line a training, a colour a recipe."""
    rows = [
        {"recipe": name, "training": f"{name}, {line['seed']}", "seconds": row["seconds"],
         "test accuracy": row["test"]}
        for name, trainings in by_recipe(lines).items()
        for line in trainings
        if not line.get("busy")
        for row in line["epochs"]
    ]  # fmt: skip
    height = alt.Scale(domain=[0.6, 0.95], clamp=True)
    return (
        alt.Chart(alt.Data(values=rows), width=560, height=320)
        .mark_line(point=True)
        .encode(
            x=alt.X("seconds:Q", title="seconds of training"),
            y=alt.Y("test accuracy:Q", scale=height, axis=alt.Axis(format="%")),
            color=alt.Color(
                "recipe:N", legend=alt.Legend(orient="bottom", columns=1, labelLimit=0)
            ),
            detail="training:N",
        )
    )


def by_recipe(lines: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The trainings of each recipe, by what it is called."""
    named: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        name = line.get("name") or short(Recipe.from_dict(line["recipe"]))
        named.setdefault(name, []).append(line)
    return named


def table(lines: Sequence[Mapping[str, Any]]) -> str:
    """One row a recipe, means over its seeds; times are medians of those trained on idle cores."""
    marks = [f"s to {100 * mark:.0f} %" for mark in MARKS]
    header = ["recipe", "seeds", "test", "train", "simple MIA", *marks, "s", "of the SGD recipe"]
    recipes = by_recipe(lines)
    plain = _seconds(recipes.get(short(NAMED["sgd"]), []))
    found = [f"| {' | '.join(header)} |", "| --- |" + " --- |" * (len(header) - 1)]
    for name, runs in recipes.items():
        seconds, timed = _seconds(runs), [run for run in runs if not run.get("busy")]
        cells = [
            name,
            str(len(runs)),
            _spread([100 * run["test"] for run in runs], 2),
            _spread([100 * run["train"] for run in runs], 2),
            _spread([run["mia"] for run in runs], 3),
            *(_median([reached(run, mark) for run in timed]) for mark in MARKS),
            f"{seconds:.0f}" if seconds else "",
            f"{seconds / plain:.2f}" if seconds and plain else "",
        ]
        found.append(f"| {' | '.join(cells)} |")
    return "\n".join(found) + "\n"


def _seconds(runs: Iterable[Mapping[str, Any]]) -> float | None:
    """The median of those trained on idle cores, None where there are none."""
    timed = [run["seconds"] for run in runs if not run.get("busy")]
    return statistics.median(timed) if timed else None


def _spread(values: Sequence[float], digits: int) -> str:
    """The mean, and the standard deviation where there are several."""
    mean = f"{statistics.mean(values):.{digits}f}"
    return f"{mean} ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else mean


def _median(values: Sequence[float | None]) -> str:
    times = [value for value in values if value is not None]
    if not values:
        return ""
    return f"{statistics.median(times):.0f}" if len(times) == len(values) else "not reached"


if __name__ == "__main__":
    main()
