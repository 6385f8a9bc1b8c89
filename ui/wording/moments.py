"""What has changed between two moments of a run."""

from __future__ import annotations

from collections.abc import Sequence

from ui.wording.numbers import listed
from ui.wording.strip import Row


def since(first: int, second: int, earlier: Sequence[Row], later: Sequence[Row]) -> str:
    """What each question's number was at one step and is at another; first, second: the steps."""
    before = {row.label: row for row in earlier}
    said = []
    for row in later:
        old = before.get(row.label)
        if old is None or old.now is None or row.now is None:
            continue
        name = f"{row.label[0].lower()}{row.label[1:]}"
        nearer = abs(row.now - row.ideal) < abs(old.now - row.ideal)
        way = "nearer to the ideal" if nearer else "no nearer to the ideal"
        numbers = f"{100 * old.now:.1f} to {100 * row.now:.1f} %, {way} ({100 * row.ideal:.1f})"
        said.append(f"*{name}* from {numbers}")
    if not said:
        return f"Step {first:,} beside step {second:,}."
    return f"From step {first:,} to step {second:,}: {listed(said)}."
