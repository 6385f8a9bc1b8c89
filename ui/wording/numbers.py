"""Numbers in words: shares, points, intervals, losses, seconds, places in a queue; and lists."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from core.metrics.measures import Evaluation, Measure
from ui.wording.terms import SHORT, TOO_FEW


def known(measure: Measure | None) -> TypeGuard[Measure]:
    """Whether there is a number: False for not measured, and for NaN (too few images)."""
    return measure is not None and math.isfinite(measure.value)


def loss(value: float) -> str:
    """A loss in nats with two digits that count: 0.0031 -> "0.0031"."""
    return "below 0.0001" if value < 1e-4 else f"{value:.2g}"


def percent(fraction: float) -> str:
    """0.613 -> "61.3 %"."""
    return f"{100 * fraction:.1f} %"


def value(measure: Measure | None, missing: str = "none") -> str:
    """The number, or why there is none."""
    if measure is None:
        return missing
    return percent(measure.value) if known(measure) else TOO_FEW


def points(difference: float) -> str:
    """A difference of fractions in percentage points: "+1.2 points"."""
    return f"{100 * difference:+.1f} points"


def measured_rows(
    measured: Mapping[Any, Evaluation], names: Mapping[str, str]
) -> dict[str, list[str]]:
    """A table of models: a row a number, with its 95 % interval. names: of the numbers, and what
    they are called."""
    found = {"measured": list(names.values())}
    for which, evaluation in measured.items():
        found[SHORT[which]] = [_with_interval(evaluation[name]) for name in names]
    return found


def _with_interval(measure: Measure | None) -> str:
    if not known(measure):
        return TOO_FEW
    return f"{percent(measure.value)} ({100 * measure.low:.0f} to {100 * measure.high:.0f})"


def duration(seconds: float | None) -> str:
    """Seconds in words a person would use."""
    if seconds is None or not math.isfinite(seconds):
        return "time left not known yet"
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def place(number: int) -> str:
    """A place in the queue: 1 is the next one."""
    return "next in line" if number <= 1 else f"number {number} in line"


def seeds(counts: Sequence[int]) -> str:
    """How many seeds stand behind the numbers: "one seed", "1 to 3 seeds"."""
    low, high = min(counts, default=1), max(counts, default=1)
    if low == high:
        return "one seed" if high == 1 else f"{high} seeds"
    return f"{low} to {high} seeds"


def listed(names: Sequence[str]) -> str:
    """Several names in a sentence: "A, B and C"; empty for none."""
    *others, last = names or ("",)
    return f"{', '.join(others)} and {last}" if others else last
