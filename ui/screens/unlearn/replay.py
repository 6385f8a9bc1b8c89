"""The replay of a finished run: a scrubber over the looks that were taken on the way."""

from __future__ import annotations

from core.runs.run import Run
from ui.screens.unlearn.moment import Way, moment, scrubber


def can_be_replayed(run: Run) -> bool:
    """Whether anybody looked twice on the way."""
    return len([s for s in run.replay if s.probe is not None]) > 1


def replay(run: Run) -> None:
    """A scrubber over the probes of a run."""
    key = f"replay-{run.id}"
    way = Way(run.id, run.plan, run.replay, run.total_steps, run.before, run.retrained)
    moment(way, scrubber(way, key, under_way=False), key)
