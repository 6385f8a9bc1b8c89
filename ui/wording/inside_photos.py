"""Sentences on single photos in a look inside, and on what each class is called."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.inside.found import MODELS, PHOTO_SETS, Inside
from core.metrics.confusion import of_each_class
from ui.wording.inside import SETS, TITLES
from ui.wording.numbers import percent

WHICH: dict[str, bool | None] = {"all": None, "answer changed": True, "answer as before": False}
"""Filters of the photos by what became of their answers."""
STILL = 1e-4
"""Of the width of the plane: a shorter way is rounding."""


def plane(inside: Inside, depth: int) -> str:
    """How far the photos have moved in the plane, beside those that were to stay."""
    ways = {
        model: [_way(inside, model, depth, name) for name in ("forget", "retain")]
        for model in range(1, len(MODELS))
    }
    now, ideal = ways[1], ways[2]
    if not np.isfinite(now).all():
        return ""
    before = inside.places[0, depth]
    if max(now) <= STILL * float(np.ptp(before, axis=0).max()):
        text = f"At *{inside.depths[depth]}* no photo has moved"
    elif now[1] <= 0.01 * now[0]:
        text = f"At *{inside.depths[depth]}* the forgotten photos have moved and the kept have not"
    else:
        text = f"At *{inside.depths[depth]}* a forgotten photo has moved {_times(*now)}"
    if np.isfinite(ideal).all() and ideal[1] > 0:
        text += f"; in the ideal it lies {_times(*ideal)} from its old place"
    return f"{text}. The plane has {percent(inside.share[depth])} of what sets the photos apart."


def _times(forgotten: float, kept: float) -> str:
    """One way beside another, in words."""
    ratio = forgotten / kept
    if 0.8 <= ratio <= 1.25:
        return "about as far as a kept one"
    return f"{ratio:.1f} times as far as a kept one"


def _way(inside: Inside, model: int, depth: int, name: str) -> float:
    """The median way of the photos of a set from where they lay before."""
    mine = inside.photo_sets == PHOTO_SETS.index(name)
    apart = inside.places[model, depth, mine] - inside.places[0, depth, mine]
    lengths = np.linalg.norm(apart, axis=1)
    return float(np.nanmedian(lengths)) if np.isfinite(lengths).any() else float("nan")


def changed(inside: Inside) -> np.ndarray:
    """bool (photos,): whether the answer now is another one than before."""
    said = inside.probabilities.argmax(axis=2)
    return np.asarray(said[1] != said[0])


def photo_name(inside: Inside, photo: int, names: Sequence[str]) -> str:
    """A photo in a list: "forgotten automobile, no. 123"."""
    kind = SETS[PHOTO_SETS[int(inside.photo_sets[photo])]]
    return f"{kind} {names[int(inside.labels[photo])]}, no. {int(inside.photos[photo])}"


def photo_said(inside: Inside, photo: int, depth: int, names: Sequence[str]) -> str:
    """What each network says of a photo, and whether a read-out of this depth names it."""
    parts = []
    for i, model in enumerate(MODELS):
        shares = inside.probabilities[i, photo]
        if not np.isfinite(shares).all():
            continue
        said = int(shares.argmax())
        text = f"{TITLES[model].lower()} it says **{names[said]}** ({percent(shares[said])} sure)"
        right = int(inside.named[i, depth, photo])
        if right >= 0:
            text += f", and a read-out is {'right' if right else 'wrong'}"
        parts.append(text)
    found = "; ".join(parts)
    return f"{found[0].upper()}{found[1:]}." if found else ""


def answers(inside: Inside, side: int, names: Sequence[str]) -> str:
    """The largest change of what a class is called, and what the ideal calls it."""
    before, now, ideal = (of_each_class(inside.confusions[i, side]) for i in range(3))
    off = np.where(np.eye(len(names), dtype=bool), -1.0, np.nan_to_num(now - before, nan=-1.0))
    i, j = np.unravel_index(int(off.argmax()), off.shape)
    if off[i, j] < 0.005:
        text = "No class is called another half a point more often than before."
    else:
        text = (
            f"The largest change: **{names[i]}** is called *{names[j]}* in {percent(now[i, j])} of "
            f"cases ({percent(before[i, j])} before"
        )
        text += f"; the ideal {percent(ideal[i, j])})." if np.isfinite(ideal[i, j]) else ")."
    if np.isfinite(ideal).any():
        rows = int(np.isfinite(ideal).all(axis=1).sum())
        wanted, left = (np.nansum(np.abs(ideal - x)) / 2 / rows for x in (before, now))
        text += (
            f" On the way to the ideal the answers of a class shift by {percent(wanted)} of its "
            f"photos, on average; now they stand {percent(left)} from there."
        )
    return text
