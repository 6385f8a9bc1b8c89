"""The guess on the front page: has the network forgotten, before the verdict is shown?"""

from __future__ import annotations

from core.runs.run import Run
from core.runs.verdicts import verdict_of
from core.verdict import Word
from ui.wording.numbers import percent
from ui.wording.strip import says as question

GUESSES = {"forgotten": "Yes, forgotten", "not": "No, it still knows", "skip": "Just show me"}
INVITATION = "One question of four; the others once you have guessed."
_FORGOTTEN: tuple[Word, ...] = ("forgotten", "forgotten too much")


def says(run: Run) -> str:
    """What the network says of the photos now."""
    found = verdict_of(run)
    signal = found.signal("forget_accuracy") if found else None
    if signal is None:
        return ""
    what = "names" if question(run.plan.request).startswith("Says") else "is right about"
    return f"It now {what} {percent(signal.after)} of them, {percent(signal.before)} before."


def answer(run: Run, taken: str) -> str:
    """Whether the guess was right, where there is a verdict and a guess."""
    found = verdict_of(run)
    if found is None or taken == "skip" or found.word == "cannot tell":
        return ""
    right = (found.word in _FORGOTTEN) == (taken == "forgotten")
    return "**You guessed right.**" if right else "**Not quite.** This is what four questions find:"
