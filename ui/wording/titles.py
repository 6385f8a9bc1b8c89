"""What a run is called, and what tells it from others of its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.runs.plan import Plan
from ui.wording.catalogue import method_name


def plan_title(plan: Plan, methods: dict[str, str] | None = None) -> str:
    """One line for tables and headings."""
    label = (methods or {}).get(plan.method) or method_name(plan.method)
    return f"{label}: {plan.request.describe()}"


def differences(
    plans: Sequence[Plan],
    settings: Sequence[Mapping[str, Any]],
    label: Callable[[str, str], str] = lambda method, name: name.replace("_", " "),
) -> list[str]:
    """What tells each of these runs from the others of its method, forget set and network:
    "learning rate 0.3, seed 1". Empty for a run that has no such others, or is just as they are.

    settings: every hyper-parameter of each run, as it ran with, not only those that were changed.
    label: of a method's hyper-parameter, in words.
    """
    kin: dict[Any, list[tuple[Plan, Mapping[str, Any]]]] = {}
    for plan, own in zip(plans, settings, strict=True):
        kin.setdefault(_name_of(plan), []).append((plan, own))
    said = []
    for plan, own in zip(plans, settings, strict=True):
        alike = kin[_name_of(plan)]
        names = dict.fromkeys(name for _, its in alike for name in its)
        found = [
            f"{label(plan.method, name).lower()} {_setting(own.get(name))}"
            for name in names
            if len({its.get(name) for _, its in alike}) > 1
        ]
        if len({other.seed for other, _ in alike}) > 1:
            found.append(f"seed {plan.seed}")
        said.append(", ".join(found))
    return said


def _name_of(plan: Plan) -> Any:
    """What runs have in common that would go by one name."""
    return plan.method, plan.request, plan.dataset, plan.model, plan.base


def _setting(value: Any) -> str:
    if value is None:  # a run from before its method had this setting
        return "not set"
    return f"{value:g}" if isinstance(value, float) else str(value)
