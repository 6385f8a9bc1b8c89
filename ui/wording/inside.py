"""Sentences on a look inside, made from the numbers that stand beside them."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Literal

import numpy as np

from core.inside.found import Inside
from core.metrics.measures import Z
from core.metrics.representation import READ_OUT_MARGIN
from ui.wording.numbers import listed, percent, points

DOING = {
    "": "Waiting: another look inside is under way",
    "after": "Looking into the network that this run left",
    "before": "Looking into the network before",
    "retrained": "Looking into the ideal",
    "reading": "Reading off what each depth knows",
}
TITLES = {"before": "Before", "after": "Now", "retrained": "Ideal"}
NAMES = {"stem": "stem (edges)", "features": "features", "answer": "answer"}
EXPLAINED = {
    "stem": "the first layer: edges and colours",
    "features": "what the last layer reads",
    "answer": "how sure it is of each answer",
}
SETS = {"forget": "forgotten", "test": "new", "retain": "kept"}
Place = Literal["more", "less", "alike", "cannot tell"]


def depth_name(depth: str) -> str:
    """A depth on an axis."""
    return NAMES.get(depth, depth)


def depth_said(depth: str) -> str:
    """A depth in a sentence."""
    return f"*{depth}*" + (f" ({EXPLAINED[depth]})" if depth in EXPLAINED else "")


def asked(inside: Inside) -> str:
    """What is charted by depth, in one sentence for a newcomer."""
    others = "photos of the other classes" if inside.whole else "new photos"
    whose = "new photos of what was forgotten" if inside.whole else "the forgotten photos"
    return (
        "At each depth a new linear read-out (the field's linear probe) learns to name photos from "
        "what the network sees there, and from nothing else. Shown is how much more often it is "
        f"right about {whose} than about {others}, "
        + (
            "against the same in the ideal: a network that never saw them stands in the middle."
            if inside.networks
            else "in points."
        )
    )


def places(inside: Inside, model: int = 1) -> list[Place]:
    """Where each depth lies. model: 0 before, 1 now. As many depths are asked, each is only told
    from the ideal where its interval would leave out zero were it as much wider (Bonferroni)."""
    wider = NormalDist().inv_cdf(1 - 0.025 / len(inside.depths)) / Z
    return [_place(away, wider) for away in inside.away[model]]


def _place(away: np.ndarray, wider: float) -> Place:
    """As the verdict decides it. away: difference to the ideal, low, high."""
    value, low, high = (float(x) for x in away)
    low, high = value - wider * (value - low), value + wider * (high - value)
    if abs(value) <= READ_OUT_MARGIN:
        return "alike" if (high - low) / 2 <= READ_OUT_MARGIN else "cannot tell"
    if low > 0:
        return "more"
    return "less" if high < 0 else "cannot tell"


def memory(inside: Inside) -> str:
    """Where the memory sits: at which depths more is known than in the ideal."""
    if not np.isfinite(inside.excess[1]).any():
        return (
            "There are too few photos to forget for a read-out of each depth: their places below "
            "can still be looked at one by one."
        )
    if not np.isfinite(inside.away).any():
        return (
            "No network that never saw these photos can be looked into here, so it is not known "
            f"how much of this is memory: {_highest(inside)}."
        )
    found = places(inside)
    names = list(inside.depths)
    more = [i for i, where in enumerate(found) if where == "more"]
    if not more:
        return _no_more(inside, found)
    last = len(names) - 1
    peak = max([i for i in more if i != last] or more, key=lambda i: inside.away[1, i, 0])
    most = f"Most of it at {depth_said(names[peak])}: there" if len(more) > 1 else "There"
    text = (
        f"**The memory sits {_where(more, names)}.** {most} a read-out knows "
        f"{_points(inside.away[1, peak, 0])} more than in the ideal "
        f"({points(inside.away[0, peak, 0])} before unlearning)."
    )
    if last in more and peak != last:
        text += (
            " The answers, read together before one is picked, betray it too: by "
            f"{_points(inside.away[1, last, 0])}."
        )
    earlier = found[: more[0]]
    if earlier and all(where == "alike" for where in earlier):
        text += (
            f" Up to *{names[more[0] - 1]}* nothing tells it from a network that never saw them."
        )
    elif earlier:
        text += f" Before *{names[more[0]]}* no depth surely knows more than the ideal."
    return text


def _no_more(inside: Inside, found: Sequence[Place]) -> str:
    peak = int(np.nanargmax(inside.away[0, :, 0]))
    names = list(inside.depths)
    start = (
        f"Before unlearning {depth_said(names[peak])} knew "
        f"{_points(inside.away[0, peak, 0])} more than the ideal, now "
        f"{points(inside.away[1, peak, 0])}."
    )
    if all(where == "alike" for where in found):
        return f"**No depth knows more than the ideal does.** {start}"
    less = [names[i] for i, where in enumerate(found) if where == "less"]
    if less:
        said = listed([f"*{name}*" for name in less])
        return (
            f"**No depth surely knows more than the ideal does**, and {said} "
            f"know{'s' * (len(less) == 1)} less. {start}"
        )
    return (
        f"**No depth surely knows more than the ideal does**, but {inside.judged:,} photos cannot "
        f"rule it out everywhere. {start}"
    )


def _where(more: Sequence[int], names: Sequence[str]) -> str:
    last = len(names) - 1
    if len(more) == 1:
        return f"at *{names[more[0]]}*"
    if list(more) == list(range(more[0], more[-1] + 1)):
        if more[-1] == last:
            return f"from *{names[more[0]]}* on" if more[0] else "at every depth"
        hidden = ", and the answer does not let on" if more[-1] == last - 1 else ""
        return f"from *{names[more[0]]}* to *{names[more[-1]]}*{hidden}"
    return f"at {listed([f'*{names[i]}*' for i in more])}"


def _highest(inside: Inside) -> str:
    peak = int(np.nanargmax(inside.excess[1, :, 0]))
    return (
        f"a read-out of {depth_said(str(inside.depths[peak]))} is right "
        f"{points(inside.excess[1, peak, 0])} more often about them "
        f"({points(inside.excess[0, peak, 0])} before)"
    )


def there(inside: Inside, model: int, depth: int) -> str:
    """The numbers of a read-out of one depth of one network."""
    right = inside.right[model, depth]
    if not np.isfinite(right).all():
        return "not measured"
    others = "the other classes" if inside.whole else "new photos"
    return f"right about {percent(right[0])} of them and {percent(right[1])} of {others}"


def alike(inside: Inside, side: int) -> str:
    """What the CKA by depth says. side: 0 of the forgotten photos, 1 of the kept."""
    whose = ("forgotten", "kept")[side]
    names = list(inside.depths)
    before, now, moved = (inside.alike[i, side] for i in range(3))
    if not np.isfinite(now).any():
        if not np.isfinite(moved).any():
            return "There are too few photos to say how alike the networks are."
        least = int(np.nanargmin(moved))
        return (
            f"On the {whose} photos it is least like the network before at "
            f"{depth_said(names[least])}: {moved[least]:.2f} of 1."
        )
    least = int(np.nanargmin(now))
    change = now[least] - before[least]
    way = "no nearer" if abs(change) < 0.02 else "nearer" if change > 0 else "further off"
    return (
        f"On the {whose} photos it is least like the ideal at {depth_said(names[least])}: "
        f"{now[least]:.2f} of 1, {before[least]:.2f} before: {way}."
    )


def moved(inside: Inside) -> str:
    """How far the weights have moved."""
    names = list(inside.depths)
    if not inside.moved.any():
        return "No weight has moved."
    far = int(np.nanargmax(inside.moved))
    still = [names[i] for i, value in enumerate(inside.moved) if value == 0]
    if len(still) == len(names) - 1:
        return (
            f"Only the weights of *{names[far]}* have moved, by {length(inside.moved[far])} of "
            "their length: all before it is bit for bit what it was."
        )
    text = (
        f"The weights of *{names[far]}* have moved furthest, by {length(inside.moved[far])} of "
        "their length"
    )
    if still:
        return f"{text}; those of {listed([f'*{name}*' for name in still])} not at all."
    near = int(np.nanargmin(inside.moved))
    return f"{text}, those of *{names[near]}* the least: {length(inside.moved[near])}."


def spoken(text: str) -> str:
    """A sentence as a screen reader has it: without the marks of Markdown."""
    return text.replace("*", "")


def length(share: float) -> str:
    """How far weights have moved, with two digits that count."""
    if share >= 0.1:
        return f"{100 * share:.0f} %"
    return "0" if share == 0 else f"{100 * share:.2g} %"


def limits(inside: Inside) -> str:
    """What the numbers are of, and what they cannot show."""
    whose = "new photos of what was forgotten" if inside.whole else "forgotten photos"
    text = f"Read-outs are asked about {inside.judged:,} {whose}. " if inside.judged else ""
    if inside.networks > 1:
        text += (
            f"The ideal is put together: {inside.networks} networks, each asked about forgotten "
            "photos that it never saw; their numbers are measured one by one and averaged. "
        )
    elif not inside.networks:
        text += "No network that never saw these photos is kept with its weights. "
    return text + (
        "How far weights moved is not compared with the ideal, which was trained from other first "
        "weights. A linear read-out finds what lies open; what is stored in a more tangled way it "
        "does not see. None of this proves a deletion."
    )


def _points(difference: float) -> str:
    return points(difference).lstrip("+")
