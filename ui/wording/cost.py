"""What forgetting costs in seconds, and what they buy: how near the ideal, and whether inside too.

Every sentence is made from the runs of one forget set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from core.metrics.average_gap import Gap, nearer
from core.runs.by_class import OfClass
from core.verdict import Verdict
from ui.wording.numbers import duration, listed, percent

Bought = Literal[
    "like the ideal inside",
    "only silenced",
    "still there",
    "forgotten too much",
    "damaged",
    "cannot tell",
    "no verdict",
]
LEAST = 0.1
"""Seconds below which nothing can be told apart on the screen."""


@dataclass(frozen=True)
class Cost:
    """A run, or a method as the makers of the app measured it.

    key: tells it from the others. seconds: of the method alone. gap: to the ideal, in points, with
    its interval. share: of retraining's seconds, None where those are not known. run: its id, ""
    where no run is kept. headline: of its verdict, "" where there is none. again: whether it is a
    retraining.
    """

    key: str
    name: str
    method: str
    seconds: float
    gap: Gap
    bought: Bought
    share: float | None
    run: str = ""
    headline: str = ""
    again: bool = False


def bought(verdict: Verdict | None) -> Bought:
    """What a verdict says that a run has bought; damage first, then what is inside."""
    if verdict is None:
        return "no verdict"
    if verdict.damaged:
        return "damaged"
    if verdict.word == "only silenced":
        return "only silenced"
    places = {signal.place for signal in verdict.signals if signal.kind == "inside"}
    if "on the way" in places or verdict.word in ("not forgotten", "partly forgotten"):
        return "still there"
    if verdict.word == "forgotten too much":
        return "forgotten too much"
    return "like the ideal inside" if places == {"at the ideal"} else "cannot tell"


def frontier(costs: Sequence[Cost]) -> list[Cost]:
    """Those than which none is both faster and nearer, the fastest first."""
    found: list[Cost] = []
    for cost in sorted(costs, key=lambda c: (c.seconds, c.gap.value)):
        if not found or cost.gap.value < found[-1].gap.value:
            found.append(cost)
    return found


def nearest(costs: Sequence[Cost], seconds: float) -> Cost | None:
    """The nearest to the ideal that takes no longer."""
    within = [cost for cost in costs if cost.seconds <= seconds]
    return min(within, key=lambda c: (c.gap.value, c.seconds), default=None)


def takeaway(costs: Sequence[Cost]) -> str:
    """What seconds buy here, from the runs that have a verdict."""
    runs = [cost for cost in costs if cost.run]
    if not runs:
        return "No run of this choice has a verdict yet, so nobody knows what the seconds bought."
    if len(runs) == 1:
        return f"The one run here took {price(runs[0])}. {runs[0].headline}"
    parts = []
    for kind, said in (
        ("only silenced", "To be silenced only"),
        ("like the ideal inside", "To forget inside as well"),
    ):
        if some := [cost for cost in runs if cost.bought == kind]:
            first = min(some, key=lambda c: c.seconds)
            parts.append(f"{said} took {price(first)} ({first.name}).")
    if not any(cost.bought == "like the ideal inside" for cost in runs):
        parts.append(
            f"None of the {len(runs)} runs here forgot inside as well and left the rest unharmed."
        )
    if broken := sum(cost.bought == "damaged" for cost in runs):
        parts.append(f"{broken} of {len(runs)} damaged the rest.")
    return " ".join(parts)


def price(cost: Cost) -> str:
    """ "51 s, 3.9 % of the time that retraining takes"."""
    if cost.share is None:
        return duration(cost.seconds)
    return f"{duration(cost.seconds)}, {percent(cost.share)} of the time that retraining takes"


def afford(costs: Sequence[Cost], seconds: float) -> str:
    """What so many seconds buy at best."""
    best = nearest(costs, seconds)
    limit = f"Within {duration(seconds)}"
    if best is None:
        first = min(costs, key=lambda c: c.seconds)
        return f"{limit} nothing here is done: the fastest, {first.name}, took {price(first)}."
    text = (
        f"{limit} **{best.name}** comes nearest to the ideal: {points(best.gap)}, in "
        f"{price(best)}. {_verdict(best)}"
    )
    tied = [
        cost
        for cost in costs
        if cost is not best and cost.seconds < best.seconds and not nearer(best.gap, cost.gap)
    ]
    if tied:
        first = min(tied, key=lambda c: c.seconds)
        count = "one faster one" if len(tied) == 1 else f"{len(tied)} faster ones"
        which = "" if len(tied) == 1 else "the fastest of them "
        text += (
            f" The photos cannot tell it from {count}: {which}{first.name}, "
            f"{duration(first.seconds)}."
        )
    more = [c for c in costs if c.seconds > seconds and c.gap.value < best.gap.value]
    if more:
        following = min(more, key=lambda c: c.seconds)
        text += (
            f" The next that comes nearer, {following.name}, took {duration(following.seconds)}."
        )
    return text


def points(gap: Gap) -> str:
    """ "0.9 points away (95 % interval 0.1 to 1.8)"."""
    return f"{gap.value:.1f} points away (95 % interval {gap.low:.1f} to {gap.high:.1f})"


def _verdict(cost: Cost) -> str:
    if not cost.run:
        return "No run of it is kept here, so it has no verdict: start one to see what is inside."
    return f"Its verdict: {cost.headline[:1].lower()}{cost.headline[1:]}"


def table(costs: Sequence[Cost]) -> dict[str, list[Any]]:
    """The chart as a table, the fastest first."""
    order = sorted(costs, key=lambda c: c.seconds)
    best = {cost.key for cost in frontier(costs)}
    return {
        "method": [c.name for c in order],
        "seconds": [c.seconds for c in order],
        "share of retraining": [c.share for c in order],
        "points from the ideal": [c.gap.value for c in order],
        "95 % interval": [f"{c.gap.low:.1f} to {c.gap.high:.1f}" for c in order],
        "what it bought": [c.bought for c in order],
        "none is faster and nearer": [c.key in best for c in order],
    }


def classes(found: Sequence[OfClass]) -> str:
    """What a run cost each class that stays."""
    kept = [c for c in found if not c.forgotten]
    known = [c for c in kept if c.apart is not None]
    if not known:
        return "No ideal is known for this run, so nobody can say which class it harmed."
    lost = sorted((c for c in known if c.lost), key=_apart)
    if not lost:
        return (
            f"Of none of the {len(known)} classes to keep can the photos say that it is right less "
            "often than the ideal."
        )
    named = listed([f"**{c.name}** ({100 * abs(_apart(c)):.1f} points)" for c in lost[:3]])
    more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
    return f"Surely less often right than the ideal about {named}{more}."


def _apart(found: OfClass) -> float:
    return found.apart.value if found.apart is not None else 0.0


def class_table(found: Sequence[OfClass]) -> Mapping[str, list[Any]]:
    """The classes as a table."""
    return {
        "class": [c.name + " (to forget)" * c.forgotten for c in found],
        "new photos": [c.now.n for c in found],
        "before": [c.before.value for c in found],
        "now": [c.now.value for c in found],
        "ideal": [c.ideal.value if c.ideal else None for c in found],
        "surely worse than the ideal": [c.lost for c in found],
    }
