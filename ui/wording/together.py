"""What is said of several methods that are queued on the same photos in one press."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ui.wording.numbers import duration, listed

LABEL = "Further methods on the same photos"
HELP = (
    "They run one after another with their default settings, and stand beside each other once all "
    "are done."
)


def button(count: int) -> str:
    """What the button says that starts so many."""
    return "Start forgetting" if count == 1 else f"Start all {count}"


def estimates(names: Sequence[str], seconds: Sequence[float | None], limit: float) -> str:
    """How long each will take, and all of them; and which would be stopped. limit: seconds that a
    run may take, infinite where there is none."""
    if not any(seconds):
        return "One after another. How long each takes here is known once it has run."
    said = [
        f"{name}: " + ("not measured yet" if s is None else f"about {duration(s)}")
        for name, s in zip(names, seconds, strict=True)
    ]
    text = f"One after another. {'; '.join(said)}."
    known = [s for s in seconds if s is not None]
    if len(known) == len(seconds):
        text += f" Together about {duration(sum(known))}, and then each is checked."
    late = [n for n, s in zip(names, seconds, strict=True) if s is not None and s > limit]
    if late and not math.isinf(limit):
        text += f" Stopped after {duration(limit)}, as long as a run may take here: {listed(late)}."
    return text


def line(name: str, state: str, here: bool, seconds: float | None) -> str:
    """One of them in the list. state: of its job. here: whether it is the one on screen. seconds:
    that it will take, None where nobody knows."""
    mark = {"waiting": "○", "running": "◐"}.get(state, "●")
    takes = f", about {duration(seconds)}" if state == "waiting" and seconds is not None else ""
    said = {
        "waiting": f"waits{takes}",
        "running": "runs",
        "finished": "done",
        "partial": "stopped early",
        "failed": "failed",
    }.get(state, state)
    return f"{mark} {'**' * here}{name}{'**' * here} · {said}"
