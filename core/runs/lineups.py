"""What the spies of a finished run make of each photo, read from its record: no network is asked
again."""

from __future__ import annotations

from core.attacks.lineup import Lineup, lineup
from core.metrics.registry import SPIES
from core.runs.run import MODELS, Run


def spies_of(run: Run) -> list[str]:
    """The spies whose line-up of the network now is known, those that the verdict hears first."""
    known = [name for name in SPIES if "after" in lineups_of(run, name)]
    return sorted(known, key=lambda name: not SPIES[name].signal)


def lineups_of(run: Run, spy: str) -> dict[str, Lineup]:
    """By model (before, after, retrained), as far as the record has them."""
    found = {
        model: lineup(evaluation[f"{spy}_auc"])
        for model in MODELS
        if (evaluation := getattr(run, model)) is not None
    }
    return {model: line for model, line in found.items() if line is not None}
