"""The verdict on a finished run."""

from __future__ import annotations

from core.checkpoints.spread import retraining_spread
from core.runs.run import Run
from core.verdict import Verdict, judge


def verdict_of(run: Run) -> Verdict | None:
    """The verdict on a run, with the spread of retrainings of its model where it is measured."""
    request = run.plan.request
    whole_classes = request.kind == "classes" and request.fraction is None
    spread = retraining_spread(run.plan.model, run.plan.dataset, whole_classes)
    return judge(run.before, run.after, run.retrained, spread)
