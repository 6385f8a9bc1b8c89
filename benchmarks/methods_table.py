"""The table of all methods, from the lines of their runs and of the controls.

A gap has a 95 % interval (`core.metrics.average_gap`). A run's is paired over the images and
stands in its line; of the lines from before that was so, only the numbers are left, and each is
drawn from a binomial of its own count, which makes the interval wider. Methods whose difference
from the nearest one has an interval that holds 0 are called tied with it.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import CLASS
from benchmarks.controls import AGAIN, CASES, CONTROLS
from benchmarks.log import Line
from benchmarks.sweeps import numbers
from core.data.request_text import parse_request
from core.errors import LabError
from core.metrics.average_gap import Gap, mean_gap, nearer, unpaired
from core.unlearners import METHODS

COLUMNS = {
    "forget_accuracy": "UA",
    "retain_accuracy": "RA",
    "test_accuracy": "TA",
    "retained_test_accuracy": "TA retained",
    "mia": "MIA",
    "mia_class_matched": "MIA matched",
}


@dataclass(frozen=True)
class Row:
    """A line of the table. numbers: one dict a seed. share: of retraining's time. seconds: that
    share of the median time of retraining, so that runs on faster and on slower machines compare.
    control: what a control does, empty for a method. tied: its gap is the smallest of the methods
    or cannot be told from that. no_nearer_than: the nearest control, where the gap is not surely
    smaller than that one's; else empty."""

    case: str
    name: str
    numbers: Sequence[dict[str, float]]
    gap: Gap
    gaps: Sequence[float] = ()
    seconds: float = 0.0
    share: float = 0.0
    control: str = ""
    tied: bool = False
    no_nearer_than: str = ""

    def mean(self, name: str) -> float:
        """Of one number, over the seeds; not a number where it could not be measured."""
        values = [found[name] for found in self.numbers if name in found]
        return statistics.mean(values) if values else float("nan")


def latest(lines: Sequence[Line], case: str) -> list[Line]:
    """The latest line of each method and seed of a case: the one with today's defaults."""
    request = parse_request(case).to_dict()
    of_case = [line for line in lines if line["plan"]["request"] == request]
    return list({(x["plan"]["method"], x["plan"]["seed"]): x for x in of_case}.values())


def rows(lines: Sequence[Line], controls: Sequence[Line], case: str) -> list[Row]:
    """The controls and the second retraining (`controls`, of their log), then the methods
    (`lines`), the nearest first."""
    lines = latest(lines, case)
    named = {line["row"]: line for line in controls if line["case"] == case}
    beside = [named[name] for name in (*CONTROLS, AGAIN) if name in named]
    others = [
        Row(
            case,
            line["row"],
            [line["numbers"]],
            Gap(line["gap"], *line["interval"]),
            control=CONTROLS.get(line["row"], ""),
        )
        for line in beside
    ]
    tricks = sorted((row for row in others if row.control), key=lambda row: row.gap.value)
    by_method: dict[str, list[Line]] = {}
    for line in lines:
        by_method.setdefault(line["plan"]["method"], []).append(line)
    gaps = {
        method: mean_gap([_gap(run, beside) for run in runs]) for method, runs in by_method.items()
    }
    ranked = sorted(gaps, key=lambda method: gaps[method].value)
    retraining = _retraining_seconds(lines)
    took = {
        method: statistics.median(_share(run) for run in runs) for method, runs in by_method.items()
    }
    return others + [
        Row(
            case,
            method,
            [numbers(run["metrics"]["after"]) for run in by_method[method]],
            gaps[method],
            [run["gap"] for run in by_method[method]],
            took[method] * retraining,
            took[method],
            tied=not nearer(gaps[ranked[0]], gaps[method]),
            no_nearer_than=(
                tricks[0].control if tricks and not nearer(gaps[method], tricks[0].gap) else ""
            ),
        )
        for method in ranked
    ]


def _gap(line: Line, beside: Sequence[Line]) -> Gap:
    """Of one run: its paired interval, or the wider one from its numbers."""
    if "interval" in line:
        return Gap(line["gap"], *line["interval"])
    if not beside:
        raise LabError("There are no counts for the intervals.", "Run benchmarks.controls first.")
    counts = beside[-1]["counts"]
    models = (numbers(line["metrics"][model]) for model in ("after", "retrained"))
    found = unpaired(*([model[name] for name in counts] for model in models), list(counts.values()))
    return found._replace(value=line["gap"])


def _share(run: Line) -> float:
    return float(run["seconds"]["unlearning"] / run["seconds"]["retraining"])


def _retraining_seconds(lines: Sequence[Line]) -> float:
    return statistics.median(run["seconds"]["retraining"] for run in lines) if lines else 0.0


def table(lines: Sequence[Line], controls: Sequence[Line]) -> str:
    """One row a method and case, and what they say, as Markdown."""
    header = ["case", "method", "seeds", *COLUMNS.values(), "gap", "95 %", "s", "share", "reading"]
    found = [
        "# Methods on CIFAR-10, compact, default settings",
        "",
        "`python -m benchmarks.methods --data ../shared/data/cifar10`; percent, means over seeds "
        "(gaps with their range). Gap: mean absolute difference, in points, to the retrained "
        "reference in UA, RA, TA and MIA; for a class in TA retained and MIA matched. Share: of "
        "retraining, its steps at the rate measured just before; s: that share of the median time "
        "of retraining, since not all runs were made on one machine. Retrained again: from another "
        "seed. Nearest first.",
        "",
        "95 %: the interval of the gap, from a bootstrap over images "
        "(`core/metrics/average_gap.py`): paired for "
        "the controls, the second retraining and runs that were logged with theirs; for the others "
        "(marked ~) each number is drawn by itself, which makes it wider. Tied: the interval of "
        "the difference from the nearest method holds 0. Controls forget nothing, and a gap sees "
        "outputs only: what cannot be told from a control shows no forgetting here.",
        "",
        f"| {' | '.join(header)} |",
        "| --- |" + " --- |" * (len(header) - 1),
    ]
    said: list[str] = []
    for case in CASES:
        runs = latest(lines, case)
        if not runs:
            continue
        ideal = numbers(runs[-1]["metrics"]["retrained"])
        retrained = Row(case, "retrained", [ideal], Gap(0, 0, 0))
        estimated = {run["plan"]["method"] for run in runs if "interval" not in run}
        ranked = rows(lines, controls, case)
        nearest = "tied for nearest" if sum(row.tied for row in ranked) > 1 else "nearest"
        for row in (retrained, *ranked):
            found.append(f"| {' | '.join(_cells(row, row.name in estimated, nearest))} |")
        said += ["", *(f"{case}: {sentence}" for sentence in sentences(ranked))]
    return "\n".join([*found, *said]) + "\n"


def _cells(row: Row, estimated: bool, nearest: str) -> list[str]:
    """Percent; UA is 100 - forget accuracy. nearest: what is said of a row that is tied."""
    percent = []
    for name in COLUMNS:
        value = 100 * row.mean(name)
        percent.append(f"{100 - value if name == 'forget_accuracy' else value:.1f}")
    span = f" ({min(row.gaps):.2f}-{max(row.gaps):.2f})" if len(row.gaps) > 1 else ""
    reading = [nearest] * row.tied
    reading += [f"no nearer than {row.no_nearer_than}"] * bool(row.no_nearer_than)
    return [
        row.case,
        f"control: {row.control}" if row.control else row.name.replace("retrained_", "retrained "),
        str(len(row.gaps) or ""),
        *percent,
        f"{row.gap.value:.2f}{span}",
        f"{'~' * estimated}{row.gap.low:.2f}-{row.gap.high:.2f}",
        f"{row.seconds:.1f}" if row.gaps else "",
        f"{100 * row.share:.1f} %" if row.gaps else "",
        "forgets nothing" if row.control else "; ".join(reading),
    ]


def sentences(ranked: Sequence[Row]) -> Iterable[str]:
    """What the rows of a case say."""
    methods = [row for row in ranked if row.gaps]
    tied = [row for row in methods if row.tied]
    yield ("nearest is " if len(tied) == 1 else "tied for nearest are ") + _named(tied) + "."
    if alone := [row for row in methods if "retain" not in METHODS[row.name].needs]:
        yield f"the nearest that reads no image to keep is {_named(alone[:1])}."
    tricks = {row.control: row for row in ranked if row.control}
    if tricks:
        trick = min(tricks.values(), key=lambda row: row.gap.value)
        better = [row for row in methods if not row.no_nearer_than]
        yield (
            f"nearer than {trick.control} ({trick.gap.value:.2f}), which forgets nothing, "
            f"{'is' if len(better) < 2 else 'are'} {_named(better) or 'none'}."
        )
    if heads := [row for row in methods if "features" in METHODS[row.name].needs]:
        yield f"the last layer alone is changed, and no feature, by {_named(heads)}."


def _named(some: Sequence[Row]) -> str:
    return ", ".join(f"{row.name} ({row.gap.value:.2f})" for row in some)


def for_the_app(lines: Sequence[Line], controls: Sequence[Line]) -> list[dict[str, Any]]:
    """One row a case and method, means over seeds, and one a control; retraining's is that of
    another seed."""
    found = []
    for case in CASES:
        for row in rows(lines, controls, case):
            seconds, share = row.seconds, row.share
            if row.name == AGAIN:
                seconds, share = _retraining_seconds(latest(lines, case)), 1.0
            found.append(
                {
                    "case": case,
                    "method": "retrain" if row.name == AGAIN else row.name,
                    "gap": round(row.gap.value, 3),
                    "low": round(row.gap.low, 3),
                    "high": round(row.gap.high, 3),
                    "seeds": max(1, len(row.gaps)),
                    "control": row.control,
                    "tied": row.tied,
                    "no_nearer_than": row.no_nearer_than,
                    "attack": round(row.mean("mia_class_matched" if case == CLASS else "mia"), 5),
                    "forget_accuracy": round(row.mean("forget_accuracy"), 5),
                    "retained_test_accuracy": round(row.mean("retained_test_accuracy"), 5),
                    "seconds": round(seconds, 2),
                    "share": round(share, 4),
                }
            )
    return found
