"""A run in numbers: the record that scripts read, and the table for a screen; a training in a line.

What takes a while to import is imported in the functions: the shell's help needs none of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.checkpoints.storage import Checkpoint
    from core.metrics.measures import Evaluation
    from core.runs.run import Run

REPORTED = (
    "forget_accuracy",
    "retain_accuracy",
    "test_accuracy",
    "retained_test_accuracy",
    "mia",
    "mia_class_matched",
)


def report(run: Run) -> dict[str, Any]:
    """What `unlearn --json` writes: the three models' numbers as fractions, and the record."""
    from core.runs.dips import dips_of
    from core.runs.run import MODELS
    from core.runs.verdicts import verdict_of

    return {
        "id": run.id,
        "status": run.status,
        "error": run.error,
        **{name: reported(getattr(run, name)) for name in MODELS},
        "intervals": {name: getattr(run, name) and getattr(run, name).metrics() for name in MODELS},
        "verdict": verdict.to_dict() if (verdict := verdict_of(run)) else None,
        "classes": [dip.to_dict() for dip in dips_of(run.replay)],
        "seconds": {name: run.seconds.get(name) for name in ("unlearning", "measuring")},
        "plan": run.plan.to_dict(),
        "settings": dict(run.settings),
        "versions": dict(run.versions),
        "data": dict(run.data),
        "weights_sha256": run.weights_sha256,
        "reference": run.reference,
        "steps": {"done": run.steps_done, "total": run.total_steps},
    }


def reported(evaluation: Evaluation | None) -> dict[str, float | None] | None:
    """The few numbers that stand on the screen, as fractions."""
    if evaluation is None:
        return None
    metrics = evaluation.metrics()
    return {name: metrics[name] and metrics[name]["value"] for name in REPORTED}


def table(run: Run) -> list[str]:
    """Lines of text: what the run was, each model's numbers in percent, and the time it took."""
    from core.runs.run import MODELS

    numbers = report(run)
    lines = [f"run {run.id}: {run.plan.method}, {run.plan.request.describe()}, {run.status}"]
    if run.error:
        lines.append(run.error)
    columns = {name: numbers[name] for name in MODELS if numbers[name] is not None}
    if not columns:
        return lines
    fallen = _fallen(numbers["classes"], run.data.get("class_names", ()))
    judged = verdict_lines(numbers["verdict"], numbers["seconds"])
    return [*lines, *number_lines(columns), *fallen, *judged]


def _fallen(classes: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    """The class to keep that fell deepest on the way, where one surely fell."""
    if not classes or classes[0]["recovered"] is None:
        return []
    deepest = classes[0]
    before, lowest, last = (100 * deepest[at]["value"] for at in ("before", "lowest", "last"))
    label = deepest["label"]
    return [
        f"deepest fall of a class to keep: {names[label] if names else label}, "
        f"{before:.0f} to {lowest:.0f} % at step {deepest['at']}, {last:.0f} % at the end"
    ]


def number_lines(columns: Mapping[str, Mapping[str, float | None]]) -> list[str]:
    """Each model's numbers in percent, a column a model."""
    lines = [f"{'':26}" + "".join(f"{name:>12}" for name in columns)]
    for metric in REPORTED:
        values = (numbers[metric] for numbers in columns.values())
        cells = (f"{100 * v:>10.1f} %" if v is not None else f"{'-':>12}" for v in values)
        lines.append(f"{metric:26}" + "".join(cells))
    return lines


def verdict_lines(
    verdict: Mapping[str, Any] | None, seconds: Mapping[str, float | None]
) -> list[str]:
    """What the numbers add up to, and the time they took."""
    lines = []
    if verdict:
        way = f"{100 * verdict['share']:.0f} % of the way to the ideal"
        by = f", betrayed by {verdict['betrayed_by']}" if verdict["betrayed_by"] else ""
        lines.append(f"verdict: {verdict['word']}{by}; {way}")
        if verdict["damaged"]:
            lines.append(f"damaged: {', '.join(verdict['damaged'])}")
    spent = [
        f"{s:.1f} s {name}" if s >= 0.1 else f"{s:.4f} s {name}"
        for name, s in seconds.items()
        if s is not None
    ]
    return [*lines, ", ".join(spent)] if spent else lines


def trained_line(checkpoint: Checkpoint) -> str:
    """Where a trained model lies, its accuracies as fractions, and the seconds it took."""
    accuracy = {
        name: round(value, 4) for name, value in checkpoint.manifest.get("accuracy", {}).items()
    }
    return f"{checkpoint.weights}: {accuracy}, {checkpoint.manifest.get('seconds', '?')} s"
