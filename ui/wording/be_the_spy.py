"""What is said to somebody who plays the spy on ten photos."""

from __future__ import annotations

import math

from core.runs.suspects import Suspects
from ui.wording import numbers
from ui.wording.spies import name

TRAINED, NEW = "trained on", "new"
ASKED = (
    "The network was trained on five of these ten photos, and then told to forget them. The other "
    "five, of the same classes, are new to it. Below each photo stands what the network makes of "
    "it now: how sure it is of the right answer, and how surprised (the loss). Which five was it "
    "trained on?"
)
HINT = "A network tends to be surer of what it was trained on."
OTHERS = "The images on this machine are not those that this run was made with."


def sees(loss: float, label: str) -> str:
    """What the spy sees of a photo."""
    return f"{numbers.percent(math.exp(-loss))} sure of “{label}” · loss {numbers.loss(loss)}"


def progress(answered: int, total: int) -> str:
    """How many are answered."""
    return f"{answered} of {total} answered."


def result(found: Suspects, right: int) -> str:
    """The player's score beside the attack's, and what the retrained network would have shown."""
    total = len(found.photos)
    theirs = found.score("after")
    text = (
        f"**You: {right} of {total}. {name(found.spy)}: {theirs} of {total}.** Like you, the "
        "attack knows that five were trained on, and accuses the five that look most familiar to "
        "it."
    )
    if "before" in found.models:
        text += f" Before unlearning it would have had {found.score('before')} right"
        if "retrained" in found.models:
            text += (
                f"; with a network that never saw the five, {found.score('retrained')}, by chance "
                "alone"
            )
        text += "."
    return f"{text} {luck(right, total)}"


def luck(right: int, total: int) -> str:
    """How often a coin does as well as the player did."""
    ways = sum(math.comb(total, k) for k in range(right, total + 1))
    return (
        f"A coin is right about {right} or more of {total} in {numbers.percent(ways / 2**total)} "
        "of games: ten photos are few, and the verdict above asks about all of them."
    )


def said(photo_trained: bool, guess: bool, accused: bool) -> tuple[str, str, str]:
    """Below a photo, once it is shown: what it was, the player's answer, the attack's."""
    truth = f"was {TRAINED}" if photo_trained else f"is {NEW}"
    return truth, _judged("you", guess, photo_trained), _judged("attack", accused, photo_trained)


def _judged(who: str, guess: bool, truth: bool) -> str:
    return f"{who}: {TRAINED if guess else NEW} {'✓' if guess == truth else '✗'}"
