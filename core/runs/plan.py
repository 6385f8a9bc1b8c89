"""What to do: model, data set, forget request, method, settings and seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.data.requests import ForgetRequest
from core.errors import BadRequest


@dataclass(frozen=True)
class Plan:
    """All that is needed to start a run, or to start it again. A link carries one."""

    model: str
    dataset: str
    request: ForgetRequest
    method: str
    settings: Mapping[str, float | int | str | bool] = field(default_factory=dict)
    seed: int = 0
    base: str = "base"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "model": self.model,
            "dataset": self.dataset,
            "request": self.request.to_dict(),
            "method": self.method,
            "settings": dict(self.settings),
            "seed": self.seed,
            "base": self.base,
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Plan:
        """The inverse of `to_dict`, also with a request that is one already; raises BadRequest on
        anything else."""
        try:
            request = fields["request"]
            if not isinstance(request, ForgetRequest):
                request = ForgetRequest.from_dict(request)
            plan = cls(**{**fields, "request": request})
            names = (plan.model, plan.dataset, plan.method, plan.base)
            if not all(isinstance(name, str) for name in names):
                raise TypeError("a name is not text")
            return dataclasses.replace(plan, settings=dict(plan.settings), seed=int(plan.seed))
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            raise BadRequest("This plan for a run cannot be read.") from error
