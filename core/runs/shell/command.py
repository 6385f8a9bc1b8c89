"""The shell command that repeats a run."""

from __future__ import annotations

import shlex

from core.data.request_text import request_text
from core.runs.plan import Plan


def command_of(plan: Plan) -> str:
    """Of this plan; FILE stands for the list of chosen images (one index a line) or the weights
    that were judged, where it has such."""
    forget = request_text(plan.request)
    parts = ["--dataset", plan.dataset, "--forget", forget]
    if plan.model != "compact":
        parts += ["--model", plan.model]
    if plan.request.seed:
        parts += ["--forget-seed", str(plan.request.seed)]
    if plan.method == "brought":
        return line("judge", "--weights", "FILE", *parts)
    parts += ["--method", plan.method]
    for name, value in plan.settings.items():
        parts += ["--set", f"{name}={value}"]
    return line("unlearn", *parts, "--seed", str(plan.seed))


def line(*parts: str) -> str:
    """Of these arguments."""
    return f"python -m core {shlex.join(parts)}"
