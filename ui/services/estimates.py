"""How long a run will take, as far as that was ever measured."""

from __future__ import annotations

from core.errors import LabError
from core.runs.plan import Plan
from ui.services import ideals, images, methods, shipped
from ui.services.methods import MODEL

CASES = {"random": "random:0.1", "class": "class:automobile"}
"""The measured case that stands for each kind of request."""


def seconds(plan: Plan) -> float | None:
    """Of the method alone, on two cores: measured with the tuned settings, times the share of its
    passes that are set. None where nobody has measured it. Raises LabError; imports torch."""
    if plan.method == "retrain":
        return ideals.seconds_of_training(plan.model, plan.dataset)
    if (plan.model, plan.dataset) != (MODEL, "cifar10"):
        return None
    case = images.case(plan.dataset, plan.request)
    try:
        rows = shipped.measured_methods()
    except LabError:
        return None
    known = [r for r in rows if (r["method"], r["case"]) == (plan.method, CASES[case])]
    if not known or plan.method not in methods.descriptions():
        return None
    passes = methods.defaults(methods.descriptions()[plan.method], case).get("epochs")
    share = float(plan.settings.get("epochs", passes)) / passes if passes else 1.0
    return float(known[0]["seconds"]) * share
