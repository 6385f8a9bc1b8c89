"""What the anchor penalty gives back, as `benchmarks/story.py` measured it.

The course report claims that fine-tuning at an aggressive rate costs accuracy on the classes that
stay, and that a penalty on the distance to the original weights (the anchor) gives some of it back.
The control is a plain lower rate. The sentences are made from the numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from statistics import mean
from typing import Any

from ui.wording.numbers import percent, points

QUESTION = "Does the anchor give accuracy back?"
AGGRESSIVE, ANCHORED = "aggressive rate", "aggressive rate, anchored"
LOWER, PRESET = "lower rate", "preset fine-tune"
FORGOTTEN = 0.05
"""The forget accuracy at and below which the runs count as equally forgotten."""
TELLING = 0.002
"""A smaller difference of mean accuracies is called none: 18 of 9,000 test images."""

Row = Mapping[str, Any]


def finding(rows: Iterable[Row]) -> str:
    """The answer with its numbers; empty where one of the three kinds of run is missing.

    A gain counts if it shows in every seed that was run both ways and is 0.2 points on average.
    """
    found = list(rows)
    plain, anchored, lower = (_by_seed(found, name) for name in (AGGRESSIVE, ANCHORED, LOWER))
    seeds = sorted(set(plain) & set(anchored) & set(lower))
    if not seeds:
        return ""
    accuracy = {
        name: [runs[seed]["retained_test_accuracy"] for seed in seeds]
        for name, runs in ((AGGRESSIVE, plain), (ANCHORED, anchored), (LOWER, lower))
    }
    gains = {
        name: [a - b for a, b in zip(accuracy[name], accuracy[AGGRESSIVE], strict=True)]
        for name in (ANCHORED, LOWER)
    }
    helps = {name: min(gain) > 0 and mean(gain) >= TELLING for name, gain in gains.items()}
    beyond = [a - b for a, b in zip(gains[ANCHORED], gains[LOWER], strict=True)]
    if not any(helps.values()):
        answer = "**No.** Neither the anchor nor a lower learning rate gives accuracy back here."
    elif not helps[ANCHORED]:
        answer = "**No.** The anchor gives nothing back here; a plain lower learning rate does."
    elif not helps[LOWER] or (min(beyond) > 0 and mean(beyond) >= TELLING):
        answer = "**Yes.** The anchor gives back more than a plain lower learning rate does."
    else:
        better = max(beyond) < 0 and mean(beyond) <= -TELLING
        answer = (
            "**Yes, but** a plain lower learning rate, without any anchor, does "
            f"{'better still' if better else 'as well'}."
        )
    before = next((row for row in found if row["name"] == "before"), None)
    start = f", from {percent(before['retained_test_accuracy'])} before" if before else ""
    text = (
        f"{answer} Fine-tuned at an aggressive rate the network is right on "
        f"{percent(mean(accuracy[AGGRESSIVE]))} of new images of the classes it keeps{start}. "
        f"With the anchor it is {percent(mean(accuracy[ANCHORED]))} ({_points(gains[ANCHORED])}), "
        f"with a lower rate instead {percent(mean(accuracy[LOWER]))} ({_points(gains[LOWER])})"
    )
    text += f"; {_seeds(len(seeds))}."
    left = {
        name: max(runs[seed]["forget_accuracy"] for seed in seeds)
        for name, runs in ((AGGRESSIVE, plain), (ANCHORED, anchored), (LOWER, lower))
    }
    worst = max(left, key=left.__getitem__)
    if left[worst] <= FORGOTTEN:
        return (
            f"{text} All three have forgotten alike: at most {percent(left[worst])} of the class "
            "is still recognised."
        )
    return (
        f"{text} They have not forgotten alike, so this is no fair comparison: with the {worst} "
        f"{percent(left[worst])} of the class is still recognised."
    )


def table(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """One row a kind of model: means over its seeds, as fractions (None where not measured)."""
    found = list(rows)
    columns = {
        "right on the forgotten class": "forget_accuracy",
        "right on new images it kept": "retained_test_accuracy",
        "spy's score": "mia",
        "spy's score, same class": "mia_class_matched",
    }
    lines = []
    for name in dict.fromkeys(["before", *(row["name"] for row in found)]):
        same = [row for row in found if row["name"] == name]
        if not same:
            continue
        line: dict[str, Any] = {"model": name, "runs": len(same)}
        for title, key in columns.items():
            values = [row[key] for row in same if _number(row.get(key))]
            line[title] = mean(values) if values else None
        lines.append(line)
    return lines


def _by_seed(rows: list[Row], name: str) -> dict[int, Row]:
    needed = ("forget_accuracy", "retained_test_accuracy")
    return {
        row.get("seed", 0): row
        for row in rows
        if row["name"] == name and all(_number(row.get(key)) for key in needed)
    }


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _points(gains: list[float]) -> str:
    middle = points(mean(gains))
    if len(gains) == 1:
        return middle
    return f"{middle}, {100 * min(gains):+.1f} to {100 * max(gains):+.1f}"


def _seeds(count: int) -> str:
    return "one seed" if count == 1 else f"means of {count} seeds, with the range of the difference"
