"""The course report, reproduced: its four experiments, every number beside its own.

1. Random images are forgotten by fine-tuning: how sure is the attack before and after?
2. One class is forgotten: the attack against all test images.
3. The same, against test images of that class.
4. Test accuracy on the classes that are kept: before, after, and after with the penalty on the
   distance to the original weights.

`compact` from three seeds; `resnet18` at the starting kit's settings (5 epochs, rate .1, cosine). A
run that has its line in results/report.jsonl is not run again; the pictures are drawn of the runs
that are in this machine's store.

    python -m benchmarks.report --data ../shared/data/cifar10
    python -m benchmarks.report --data ../shared/data/cifar10 --model resnet18 --seeds 1
    python -m benchmarks.report --table
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

from benchmarks import CLASS, RANDOM, RESULTS
from benchmarks.log import Line, Log
from benchmarks.sweeps import planned, run_all
from core.data.load import load_dataset
from core.errors import LabError
from core.files import cache_folder
from core.runs.run import Run
from core.runs.store.store import Store
from ui.charts.histograms import histogram, top_share

DATASET, LOG, STORE = "cifar10", Log("report.jsonl"), "report"
KIT = {"epochs": 5.0, "learning_rate": 0.1}
Settings = dict[str, Any]
RUNS: dict[str, tuple[str, str, dict[str, Settings]]] = {
    "random": (RANDOM, "fine_tune", {"compact": {}, "resnet18": KIT}),
    "class": (
        CLASS,
        "fine_tune",
        {"compact": {"learning_rate": 0.3, "epochs": 0.6}, "resnet18": KIT},
    ),
    "anchored": (
        CLASS,
        "anchored_fine_tune",
        {
            "compact": {"learning_rate": 0.3, "epochs": 0.6, "anchor": 0.003},
            "resnet18": {**KIT, "anchor": 0.003},
        },
    ),
}
"""What is forgotten, by which method, and its settings for each network."""


@dataclass(frozen=True)
class Number:
    """A number of the report: of which of `RUNS`, which of its models, which metric. report, kit:
    what these say, percent, "" where they say nothing."""

    experiment: int
    what: str
    run: str
    model: str
    metric: str
    report: str = ""
    kit: str = ""


NUMBERS = (
    Number(1, "attack before", "random", "before", "mia", kit="57.9"),
    Number(1, "attack after fine-tuning", "random", "after", "mia", "51", "51.2"),
    Number(1, "attack on the retrained network", "random", "retrained", "mia", kit="50.2"),
    Number(1, "test accuracy before", "random", "before", "test_accuracy", kit="88.3"),
    Number(1, "test accuracy after", "random", "after", "test_accuracy", kit="84.0"),
    Number(2, "attack after, all test images", "class", "after", "mia", "95"),
    Number(2, "the same, retrained network", "class", "retrained", "mia"),
    Number(
        3, "attack after, test images of the class", "class", "after", "mia_class_matched", "50"
    ),
    Number(3, "the same, retrained network", "class", "retrained", "mia_class_matched"),
    Number(4, "kept classes before", "class", "before", "retained_test_accuracy", "88.0"),
    Number(4, "kept classes after", "class", "after", "retained_test_accuracy", "84.1"),
    Number(
        4, "kept classes after, anchored", "anchored", "after", "retained_test_accuracy", "85.8"
    ),
    Number(4, "kept classes, retrained network", "class", "retrained", "retained_test_accuracy"),
)
Values = dict[tuple[str, str, str], list[float]]
CLAIMS: dict[str, Callable[[Callable[[str, str, str], float]], bool]] = {
    "fine-tuning makes the attack on random images less sure": (
        lambda of: of("random", "after", "mia") < of("random", "before", "mia")
    ),
    "against all test images the attack on a forgotten class is nearly always right": (
        lambda of: of("class", "after", "mia") > 0.85
    ),
    "against test images of the class it is a coin flip, to five points": (
        lambda of: abs(of("class", "after", "mia_class_matched") - 0.5) <= 0.05
    ),
    "fine-tuning costs accuracy on the classes that are kept": (
        lambda of: (
            of("class", "after", "retained_test_accuracy")
            < of("class", "before", "retained_test_accuracy")
        )
    ),
    "the penalty gives some of it back": (
        lambda of: (
            of("anchored", "after", "retained_test_accuracy")
            > of("class", "after", "retained_test_accuracy")
        )
    ),
}
"""What the report found, each as a question to the means of a network's runs."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what the log lacks, then writes the table and draws what it can."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model", choices=("compact", "resnet18"), default="compact")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--table", action="store_true", help="write the table, run nothing")
    options = parser.parse_args(arguments)
    if not options.table:
        dataset = load_dataset(DATASET, options.data)
        plans = [
            planned(dataset, request, method, changed[options.model], seed, model=options.model)
            for seed in range(options.seeds)
            for request, method, changed in RUNS.values()
        ]
        run_all(plans, LOG, folder=options.data, store=STORE)
    lines = LOG.lines()
    draw(lines)
    (RESULTS / "report.md").write_text(table(lines))
    print(table(lines))


def name_of(line: Line) -> str:
    """Which of `RUNS` it is of, "" for none."""
    plan = line["plan"]
    for name, (_, method, changed) in RUNS.items():
        same = plan["method"] == method and (plan["request"]["kind"] == "classes") == (
            name != "random"
        )
        wanted = changed[plan["model"]]
        if same and plan["settings"] == plan["settings"] | wanted:
            return name
    return ""


def values(lines: Sequence[Line], architecture: str) -> Values:
    """By run, model and metric: the numbers of all seeds."""
    found: Values = {}
    for line in lines:
        if line["plan"]["model"] != architecture or not (name := name_of(line)):
            continue
        for model, measures in line["metrics"].items():
            for metric, measure in (measures or {}).items():
                if measure:
                    found.setdefault((name, model, metric), []).append(measure["value"])
    return found


def table(lines: Sequence[Line]) -> str:
    """One row a number, a column a network; then what the report found, and whether it holds."""
    measured = {name: found for name in ("compact", "resnet18") if (found := values(lines, name))}
    header = ["", "number", "report", "kit", *measured]
    rows = [
        "# The course report, reproduced",
        "",
        "`python -m benchmarks.report --data ../shared/data/cifar10`; percent; means over seeds, "
        "the range in brackets. The report and the starting kit fine-tune a ResNet-18.",
        "",
        f"| {' | '.join(header)} |",
        "| --- |" + " --- |" * (len(header) - 1),
    ]
    for number in NUMBERS:
        key = number.run, number.model, number.metric
        cells = [_shown(found.get(key, [])) for found in measured.values()]
        about = [str(number.experiment), number.what, number.report, number.kit]
        rows.append(f"| {' | '.join([*about, *cells])} |")
    rows += ["", f"| what the report found | {' | '.join(measured)} |"]
    rows.append("| --- |" + " --- |" * len(measured))
    for claim, holds in CLAIMS.items():
        cells = [_answer(holds, found) for found in measured.values()]
        rows.append(f"| {claim} | {' | '.join(cells)} |")
    for name in measured:
        if _picture(name).exists():
            rows += ["", f"![Losses of forget and test images, {name}]({_picture(name).name})"]
    return "\n".join(rows) + "\n"


def _shown(found: Sequence[float]) -> str:
    if not found:
        return ""
    low, mean, high = (100 * of(found) for of in (min, statistics.mean, max))
    return f"{mean:.1f} ({low:.1f}-{high:.1f})" if len(found) > 1 else f"{mean:.1f}"


def _answer(holds: Callable[[Callable[[str, str, str], float]], bool], found: Values) -> str:
    try:
        return "yes" if holds(lambda *key: statistics.mean(found[key])) else "no"
    except KeyError:
        return ""


def draw(lines: Sequence[Line]) -> None:
    """The report's pictures: losses of forget and test images, of the first seed's runs that this
    machine's store has; a picture that stands is drawn anew only where it has all."""
    with contextlib.closing(Store(f"sqlite:///{cache_folder() / STORE}.sqlite")) as store:
        for architecture in ("compact", "resnet18"):
            runs = {}
            for line in lines:
                if line["plan"]["model"] == architecture and line["plan"]["seed"] == 0:
                    with contextlib.suppress(LabError):
                        runs[name_of(line)] = store.load(line["id"])
            if runs.keys() >= RUNS.keys():
                chart = pictures(runs).to_dict()
                _picture(architecture).write_text(vl_convert.vegalite_to_svg(chart))


def _picture(architecture: str) -> Path:
    return RESULTS / f"report-{architecture}.svg"


def pictures(runs: dict[str, Run]) -> alt.HConcatChart:
    """Random images before and after; a class after, against all test images and against its own;
    and the same with the anchor."""
    shown = (
        ("Random images, before", runs["random"].before, False),
        ("Random images, after", runs["random"].after, False),
        ("A class, after: all test images", runs["class"].after, False),
        ("A class, after: its own test images", runs["class"].after, True),
        ("A class, anchored: its own test images", runs["anchored"].after, True),
    )
    charts = []
    for title, found, matched in shown:
        assert found is not None
        test = found.class_matched_losses if matched else found.test_losses
        top = top_share(found.forget_losses, test)
        chart = histogram(found.forget_losses, test, top, title, matched)
        charts.append(chart.properties(title=title))
    return alt.hconcat(*charts).resolve_scale(color="independent", strokeDash="independent")


if __name__ == "__main__":
    main()
