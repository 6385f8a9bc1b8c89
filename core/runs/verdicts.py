"""The verdict on a finished run."""

from __future__ import annotations

from collections.abc import Mapping

from core.checkpoints.spread import retraining_spread
from core.runs.plan import Plan
from core.runs.run import Run
from core.verdict import Verdict, judge


def verdict_of(run: Run) -> Verdict | None:
    """The verdict on a run, with the spread of retrainings of its model where it is measured."""
    return judge(run.before, run.after, run.retrained, spread_of(run.plan))


def spread_of(plan: Plan) -> Mapping[str, float]:
    """How far two retrainings lie apart for what a plan forgets, by signal."""
    request = plan.request
    whole_classes = request.kind == "classes" and request.fraction is None
    return retraining_spread(plan.model, plan.dataset, whole_classes)
