"""What a network withstands, in sentences made from the numbers beside them. A row, by model, is
what `core.runs.robust` gives."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ui.wording.numbers import duration, percent

Row = Mapping[str, Any]
MODELS = {"before": "Before", "after": "Now", "retrained": "Ideal"}
INTRODUCTION = (
    "Forgetting can leave a network weaker than it looks: a blurred photo, or one that somebody "
    "changed on purpose, may fool it sooner than a network that never saw what it forgot. And what "
    "was forgotten may come back when training goes on. Each of these is measured here, on a "
    "finished run."
)
QUESTIONS = {
    "corruptions": (
        "Worse photos",
        "New photos of the classes that stay, as a worse camera, lens or connection would give "
        "them: six corruptions at five strengths. Does it still know what is on them?",
        "Try worse photos",
    ),
    "adversarial": (
        "Photos changed on purpose",
        "Somebody who knows the weights changes every pixel a little, in the direction that "
        "misleads the network most: once (the field's FGSM), or in twenty small steps (PGD).",
        "Try changed photos",
    ),
    "relearning": (
        "Does it come back?",
        "The network is trained on for twenty steps, with photos to keep alone, or with ten of the "
        "forgotten ones in each step as well. Does it know the *other* forgotten photos again "
        "sooner than a network that never saw them?",
        "Train it on",
    ),
}
LESSONS = {"retained": "With photos to keep alone", "few": "With ten forgotten ones as well"}
UNCOMPARED = (
    "The weights of no network that never saw these photos are here, so there is nothing to hold "
    "this against."
)
LIMITS = (
    "What these cannot see: six corruptions are not all that can happen to a photo; an attack that "
    "is stronger than PGD may find more, so the accuracies under attack are bounds from above; and "
    "an answer that is only masked can stay masked while a network is trained on."
)


def value(row: Row, model: str) -> float:
    """A number of a row, not a number where it is not there."""
    found = row.get(model)
    return math.nan if not found or found["value"] is None else float(found["value"])


def known(row: Row) -> dict[str, float]:
    """By model, the numbers that are there."""
    found = {model: value(row, model) for model in MODELS}
    return {model: share for model, share in found.items() if math.isfinite(share)}


def progress(done: int, total: int, left: float | None, waiting: bool) -> str:
    """Where a measurement is."""
    if waiting:
        return "Waiting for another measurement to end"
    if not total:
        return "Loading the networks"
    return f"Step {done:,} of {total:,}, " + (f"about {duration(left)} left" if left else "begun")


def corruptions(found: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """The mean over all corruptions, and what they cost the network and the ideal."""
    mean, clean = found["mean"], found["clean"]
    text = (
        f"Over all six corruptions and five strengths it is right about "
        f"**{percent(value(mean, 'after'))}** of the photos ({percent(value(clean, 'after'))} as "
        f"they are); before unlearning it was {percent(value(mean, 'before'))}"
    )
    if "retrained" not in known(mean):
        return f"{text}. {UNCOMPARED}"
    cost, ideals = (value(clean, m) - value(mean, m) for m in ("after", "retrained"))
    return (
        f"{text}, and the ideal is {percent(value(mean, 'retrained'))}. {_apart(mean)} Worse "
        f"photos cost it {100 * cost:.1f} points, and the ideal {100 * ideals:.1f}. "
        f"{_hardest(found, names)}"
    )


def furthest(found: Mapping[str, Any], names: Mapping[str, str]) -> tuple[str, int]:
    """The corruption, and its strength less one, at which it is furthest from the ideal; the first
    where nothing is to compare with."""

    def away(at: tuple[str, int]) -> float:
        apart = value(found[at[0]][at[1]], "difference")
        return abs(apart) if math.isfinite(apart) else 0.0

    return max(((name, k) for name in names for k in range(len(found[name]))), key=away)


def _hardest(found: Mapping[str, Any], names: Mapping[str, str]) -> str:
    name, strength = furthest(found, names)
    row = found[name][strength]
    return (
        f"It is furthest from the ideal under {names[name]} at strength {strength + 1}: "
        f"{percent(value(row, 'after'))}, and the ideal {percent(value(row, 'retrained'))}."
    )


def adversarial(found: Mapping[str, Any]) -> str:
    """What is left under attack."""
    levels = 255 * found["eps"]
    text = (
        f"With each pixel changed by at most {levels:g} of 255 levels, it still recognises "
        f"**{percent(value(found['pgd'], 'after'))}** of the photos after PGD and "
        f"{percent(value(found['fgsm'], 'after'))} after FGSM "
        f"({percent(value(found['clean'], 'after'))} as they are)"
    )
    if "retrained" not in known(found["pgd"]):
        return f"{text}. {UNCOMPARED}"
    return (
        f"{text}; the ideal {percent(value(found['pgd'], 'retrained'))} and "
        f"{percent(value(found['fgsm'], 'retrained'))}. {_apart(found['pgd'])}"
    )


def _apart(row: Row) -> str:
    """The difference to the ideal, image by image."""
    apart = row["difference"]
    if not apart or apart["value"] is None:
        return ""
    between = _between(apart)
    if apart["low"] is not None and apart["low"] <= 0 <= apart["high"]:
        return f"Chance alone can make the difference to the ideal ({between})."
    more = "more" if apart["value"] > 0 else "less"
    return f"It withstands {more} than the ideal, by {between}."


def _between(apart: Mapping[str, Any]) -> str:
    """The 95 % interval of a difference."""
    return f"{100 * apart['low']:+.1f} to {100 * apart['high']:+.1f} points"


def relearning(found: Mapping[str, Any], lesson: str) -> str:
    """How fast what was forgotten comes back."""
    row, curves = found[lesson], found["curves"][lesson]
    steps = curves["after"]["steps"][-1]
    first, last = (curves["after"]["accuracies"][i]["value"] for i in (0, -1))
    text = (
        f"After {steps} steps it is right about **{percent(last)}** of the other forgotten photos, "
        f"and about {percent(first)} before the first"
    )
    if not curves["ideal"]:
        return f"{text}. {UNCOMPARED}"
    theirs = curves["ideal"]["accuracies"][-1]["value"]
    apart = row["difference"]
    between = f"{_between(apart)} on average along the way"
    text = f"{text}; the ideal is right about {percent(theirs)} in the end."
    if apart["low"] <= 0 <= apart["high"]:
        return (
            f"{text} Chance alone can make the difference ({between}): here they come back no "
            "faster than in a network that never saw them."
        )
    when = "sooner" if apart["value"] > 0 else "later"
    return f"{text} They come back {when} than in a network that never saw them, by {between}."


def table(rows: Sequence[tuple[str, Row]]) -> dict[str, list[Any]]:
    """Rows as a table, in fractions."""
    found: dict[str, list[Any]] = {"photos": [what for what, _ in rows]}
    for model, title in MODELS.items():
        found[title.lower()] = [value(row, model) for _, row in rows]
    for end in ("value", "low", "high"):
        name = "now less ideal" + ("" if end == "value" else f", {end}")
        found[name] = [_end(row, end) for _, row in rows]
    return found


def _end(row: Row, end: str) -> float:
    apart = row.get("difference")
    return math.nan if not apart or apart[end] is None else float(apart[end])
