"""What the classes to keep lost while a method ran, from the probes of its live view. Imports no
torch: the front page may show it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from core.robustness.catastrophic import Dip, dips
from core.runs.run import Snapshot


def dips_of(snapshots: Iterable[Snapshot]) -> list[Dip]:
    """What each class that is kept lost on the way, and what came back: of the probes so far, or of
    a run's replay; the deepest drop first, `Dip.at` being the step."""
    probes = [(s.step, s.probe) for s in snapshots if s.probe is not None]
    looks = [
        (step, (probe.class_right, probe.class_seen))
        for step, probe in probes
        if probe.class_right is not None and probe.class_seen is not None
    ]
    found = dips([look for _, look in looks])
    return [dataclasses.replace(dip, at=looks[dip.at][0]) for dip in found]
