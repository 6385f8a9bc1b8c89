"""A run without its arrays: what lists and tables show of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.runs.plan import Plan
from core.runs.run import RunFacts


@dataclass(frozen=True, kw_only=True)
class RunSummary(RunFacts):
    """Everything of a `Run` but its arrays: what tables of runs are made from.

    plan: in a list of runs its request is brief (`ForgetRequest.brief`).
    metrics: {"before", "after", "retrained"}, each as `Evaluation.metrics` gives it, or None where
    not measured. owner: sha256 of the starter's token, "" where unknown. shipped: comes with the
    project.
    """

    metrics: Mapping[str, Mapping[str, Any] | None]
    owner: str = ""
    shipped: bool = False

    def value(self, model: str, metric: str) -> float | None:
        """One number, as `value("after", "mia")`: a fraction, or None where not measured."""
        numbers = self.metrics.get(model)
        if not numbers or metric not in numbers:
            return None
        entry = numbers[metric]
        value = entry["value"] if isinstance(entry, Mapping) else entry
        return None if value is None else float(value)


def summary_of(fields: dict[str, Any], owner: str = "", shipped: bool = False) -> RunSummary:
    """From the fields of a run as its record has them."""
    values = {**fields, "plan": Plan.from_dict(fields["plan"])}
    known = {f.name for f in dataclasses.fields(RunSummary)}
    chosen = {key: value for key, value in values.items() if key in known}
    return RunSummary(**chosen, owner=owner, shipped=shipped)
