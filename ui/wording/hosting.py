"""What is said of the limits of a server that strangers share."""

from __future__ import annotations

import math

from ui.wording.numbers import duration


def budget(limit: float, estimate: float | None) -> tuple[str, bool]:
    """How long a run may take and how long this one will, and whether that is too long. limit:
    seconds, infinite where there is none; estimate: seconds, None where unknown."""
    if math.isinf(limit):
        return "", False
    late = estimate is not None and estimate > limit
    takes = f"This takes about {duration(estimate)}. " if estimate else ""
    rest = f"A run here is stopped after {duration(limit)}"
    if late:
        return (
            f"{takes}{rest}: what it did by then is measured and kept, marked as stopped. "
            "Fewer passes, or another method, may fit.",
            True,
        )
    return f"{takes}{rest}; what it did by then would be measured and kept.", False


SHARED = "This link shows the result and its settings. It starts nothing."
PRIVATE = (
    "Only you see this run, in this browser, for as long as it keeps its cookies; and it is "
    "cleared when the server needs room. Share its link to let others see it, and to keep it "
    "longer."
)


def private_runs(count: int) -> str:
    """Of a link to two runs: how many of them only their owner sees; "" where none."""
    if not count:
        return ""
    which = "One of these runs is" if count == 1 else "These runs are"
    return f"{which} private: others see a run once you have shared its link, on its own page."
