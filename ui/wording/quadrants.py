"""The methods between outside and inside: how far the answers lie from the ideal, and how much more
is recognised inside than in the ideal."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.metrics.registry import METRICS
from core.runs.run import Run
from ui.wording.numbers import listed

INSIDE = "re_head"
FEW_MINUTES = 60.0
"""Seconds up to which a method counts as fast."""
FILTERS = {
    "fast": "under a minute",
    "alone": "needs no photos to keep",
    "classes": "for whole classes",
    "inside": "passes inside",
}


@dataclass(frozen=True)
class Dot:
    """A method or a control. outside: the mean distance of its answers from the ideal's, points.
    inside: how much more a new last layer recognises than in the ideal, points; None where nobody
    has measured it. passes: whether that is no more than the margin."""

    name: str
    label: str
    outside: float
    inside: float | None
    control: bool
    seconds: float

    @property
    def passes(self) -> bool:
        return self.inside is not None and abs(self.inside) <= margin()

    @property
    def said(self) -> str:
        """Where it stands, for the tooltip and the table."""
        if self.inside is None:
            return "inside not measured"
        return "inside like the ideal" if self.passes else "more is still there inside"


def margin() -> float:
    """Up to how many points more or less inside count as none."""
    return 100 * METRICS[INSIDE].margin


def excess(run: Run, model: str) -> float | None:
    """How many points more of what was forgotten a new last layer finds in a network of a run,
    before or after, than in its ideal; None where that was not measured."""
    own, ideal = (
        evaluation[INSIDE] if evaluation is not None else None
        for evaluation in (getattr(run, model), run.retrained)
    )
    if own is None or ideal is None:
        return None
    return 100 * (own.value - ideal.value)


def dots(
    rows: Sequence[Mapping[str, Any]],
    labels: Mapping[str, str],
    heads: Collection[str],
    runs: Sequence[Run],
) -> list[Dot]:
    """rows: of one case, as `core.runs.measured` has them. heads: those that change the last layer
    alone, and so leave inside what was there before. runs: of this case, from which what is inside
    is read."""
    before = next((x for run in runs if (x := excess(run, "before")) is not None), None)
    after = {run.plan.method: excess(run, "after") for run in runs}
    found = []
    for row in rows:
        name = str(row["method"])
        if name == "retrain":
            continue
        unchanged = bool(row["control"]) or name in heads
        inside = before if unchanged else after.get(name)
        label = str(row["control"]) if row["control"] else labels.get(name, name)
        found.append(
            Dot(name, label, float(row["gap"]), inside, bool(row["control"]), float(row["seconds"]))
        )
    return found


def takeaway(found: Sequence[Dot]) -> str:
    """What the chart shows, from its dots."""
    known = [dot for dot in found if dot.inside is not None]
    methods = [dot for dot in found if not dot.control]
    if not known:
        return "Of none of them is it measured yet what is still inside."
    silent = [dot for dot in known if not dot.passes and not dot.control]
    passing = [dot for dot in known if dot.passes and not dot.control]
    looked = len(silent) + len(passing)
    text = f"Of {len(methods)} methods {looked} were looked into: "
    if not passing:
        text += "each of them leaves more inside than the ideal has."
    else:
        text += f"{len(silent)} leave more inside than the ideal has, {len(passing)} do not."
    if passing:
        text += f" Like the ideal inside: {listed([dot.label for dot in passing])}."
    cheats = [dot for dot in known if dot.control]
    nearest = min(cheats, key=lambda dot: dot.outside, default=None)
    if nearest is not None:
        better = sum(dot.outside < nearest.outside for dot in methods)
        lie = {0: "no method lies", 1: "one method lies"}.get(better, f"{better} methods lie")
        text += (
            f" A cheat, {nearest.label}, lies {nearest.outside:.1f} points from the ideal outside; "
            f"{lie} nearer. Outside alone proves nothing."
        )
    return text
