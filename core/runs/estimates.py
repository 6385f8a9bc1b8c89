"""What a look on the way says of the questions of a verdict: an estimate from samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.attacks.curve import auc
from core.metrics.measures import Evaluation, Losses, wilson
from core.runs.plan import Plan
from core.runs.run import Probe, Snapshot
from core.runs.verdicts import spread_of
from core.verdict import Verdict, judge

POOLED = 8
"""Small samples that are read together: the last seconds of a run."""


def look(snapshots: Sequence[Snapshot]) -> Probe | None:
    """What is known at the last of these moments: the probe if that came last, else the last small
    samples together; None where nobody has looked yet."""
    rolling: list[Probe] = []
    for snapshot in reversed(snapshots):
        if snapshot.probe is not None and not rolling:
            return snapshot.probe
        if snapshot.rolling is not None:
            rolling.insert(0, snapshot.rolling)
            if len(rolling) == POOLED:
                break
    return pooled(rolling) if rolling else None


def pooled(probes: Sequence[Probe]) -> Probe:
    """Several small samples as one; the photos are those of the last."""
    last = probes[-1]
    images = [len(probe.forget_losses) for probe in probes]
    useful = [probe.useful for probe in probes]
    return Probe(
        forget_losses=np.concatenate([probe.forget_losses for probe in probes]),
        test_losses=np.concatenate([probe.test_losses for probe in probes]),
        forget_accuracy=float(np.average([p.forget_accuracy for p in probes], weights=images)),
        test_accuracy=float(np.average([p.test_accuracy for p in probes], weights=useful)),
        mia=None,
        matched=last.matched,
        useful=sum(useful),
        forget_margins=_joined([probe.forget_margins for probe in probes]),
        test_margins=_joined([probe.test_margins for probe in probes]),
        photo_losses=last.photo_losses,
        photo_predictions=last.photo_predictions,
    )


def _joined(parts: Sequence[Losses | None]) -> Losses | None:
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if len(known) == len(parts) else None


def evaluation_of(probe: Probe) -> Evaluation:
    """The numbers of a verdict, as far as a look has them."""
    n, useful = len(probe.forget_losses), probe.useful or len(probe.test_losses)
    spy = None
    if probe.forget_margins is not None and probe.test_margins is not None:
        sides = (side.astype(np.float64) for side in (probe.forget_margins, probe.test_margins))
        spy = auc(*sides)
    return Evaluation(
        {
            "forget_accuracy": wilson(probe.forget_accuracy * n, n),
            "margin_auc": spy,
            "retained_test_accuracy": wilson(probe.test_accuracy * useful, useful),
        },
        forget_losses=probe.forget_losses,
        test_losses=probe.test_losses,
        class_matched_losses=probe.test_losses if probe.matched else probe.test_losses[:0],
    )


def so_far(
    plan: Plan, before: Evaluation | None, ideal: Evaluation | None, probe: Probe
) -> Verdict | None:
    """What a look adds up to, in all that can be seen from outside; None without before or
    ideal."""
    return judge(before, evaluation_of(probe), ideal, spread_of(plan))
