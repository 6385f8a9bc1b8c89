"""The cheats: tricks that forget nothing, to try on the verdict."""

from __future__ import annotations

CHEATS = {
    "mask": ("Just mask the answer", "Forbids one answer, and leaves everything it knows."),
    "divide": ("Divide the logits", "Makes every answer less sure, and changes none of them."),
    "random_head": (
        "Throw the last layer away",
        "Every answer is lost, and all that led to it stays.",
    ),
    "do_nothing": ("Do nothing", "Leaves the network as it is."),
}
"""The controls of `core.unlearners.controls` by name: what a button says, and what it does."""
QUESTION = "Can a cheat please the verdict?"
INVITATION = (
    "These tricks forget nothing. One click runs one of them on the same photos: see what it "
    "fools, and what finds it out."
)


def note(method: str) -> str:
    """What is said above the result of a cheat; empty for a method."""
    if method not in CHEATS:
        return ""
    return (
        f"This is a cheat, no method. {CHEATS[method][1]} Whatever looks like the ideal below, it "
        "has forgotten nothing."
    )
