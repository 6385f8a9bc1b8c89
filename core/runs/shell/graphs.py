"""`unlearn` for a graph: what the shell prints of it, and the record that scripts read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from core.checkpoints.provenance import versions
from core.errors import Cancelled
from core.graphs.data.load import load_graph
from core.graphs.ensemble import Ensemble
from core.graphs.methods import make
from core.graphs.methods.base import setting
from core.graphs.request_text import graph_request_text, parse_graph_request
from core.graphs.run import GraphPlan, GraphRun
from core.graphs.run import unlearn as run_of
from core.runs.shell import progress
from core.runs.shell.beyond_images import Asked
from core.runs.shell.command import line
from core.runs.shell.exit_codes import CANCELLED
from core.runs.shell.interrupts import stopped_by_ctrl_c
from core.runs.shell.output import put, say
from core.runs.shell.targets import SCREEN, check_targets, write_json
from core.unlearners.base import Step

if TYPE_CHECKING:
    from core.metrics.measures import Evaluation

REPORTED = (
    "forget_accuracy",
    "retain_accuracy",
    "test_accuracy",
    "macro_f1",
    "mia",
    "mia_class_matched",
    "margin_auc",
)


def unlearn(asked: Asked) -> int:
    """Trains, unlearns, retrains, measures and shows; gives the exit code."""
    settings = dict(asked.settings)
    loops = setting(bool, "self_loops", settings.pop("self_loops", True))
    request = parse_graph_request(asked.forget, asked.forget_seed)
    plan = GraphPlan(asked.model, asked.dataset, request, asked.method, settings, asked.seed, loops)
    dataset = load_graph(asked.dataset, asked.data)
    check_targets(asked.json, None)
    run: GraphRun | None = None
    with stopped_by_ctrl_c() as stop, progress.progress(every=2) as show:
        clock, stage = time.monotonic(), ""
        try:
            for item in run_of(plan, dataset, stop):
                if isinstance(item, GraphRun):
                    run = item
                    continue
                if item[0] != stage:
                    clock, stage = time.monotonic(), item[0]
                show(_status(*item, time.monotonic() - clock))
        except Cancelled as error:
            say(str(error))
            return CANCELLED
    assert run is not None
    if asked.json != SCREEN:
        put(table(run))
    if asked.json:
        write_json(asked.json, report(run))
    return 0


def command_of(plan: GraphPlan) -> str:
    """The shell command of a plan; FILE stands for the list of chosen nodes or edges."""
    parts = ["--model", plan.model, "--dataset", plan.dataset]
    parts += ["--forget", graph_request_text(plan.request)]
    if plan.request.seed:
        parts += ["--forget-seed", str(plan.request.seed)]
    usual = {"self_loops": True} | make(plan.method).settings()
    asked = {"self_loops": plan.self_loops} | dict(plan.settings)
    parts += ["--method", plan.method]
    for name, value in asked.items():
        if value != usual[name]:
            parts += ["--set", f"{name}={value}"]
    return line("unlearn", *parts, "--seed", str(plan.seed))


def report(run: GraphRun) -> dict[str, Any]:
    """What `unlearn --json` writes: the three models' numbers as fractions, and the record."""

    def numbers(evaluation: Evaluation) -> dict[str, float | None]:
        metrics = evaluation.metrics()
        found = {name: metrics.get(name) for name in REPORTED}
        return {name: measure and measure["value"] for name, measure in found.items()}

    models = {"before": run.before, "after": run.after, "retrained": run.retrained}
    questions, deletion = run.questions, run.questions.deletion
    dataset = questions.dataset
    return {
        "status": "finished",
        **{name: numbers(evaluation) for name, evaluation in models.items()},
        "one_network": numbers(run.single) if run.single else None,
        "intervals": {name: evaluation.metrics() for name, evaluation in models.items()},
        "verdict": run.verdict.to_dict(),
        "exact": {"promised": run.exact, "identical": run.identical},
        "seconds": dict(run.seconds),
        "share_of_retraining": run.share,
        "shards": shards(run),
        "plan": run.plan.to_dict(),
        "settings": dict(run.settings),
        "versions": versions(),
        "data": {
            "dataset": dataset.name,
            "source": dataset.source,
            "fingerprint": dataset.fingerprint,
            "nodes": len(dataset.graph),
            "edges": dataset.graph.edges.shape[1],
            "forget": len(questions.split.forget),
            "retain": len(questions.split.retain),
            "test": len(questions.split.test),
            "edges_forgotten": deletion.edges.shape[1],
        },
    }


def shards(run: GraphRun) -> dict[str, Any] | None:
    """Of an ensemble: the nodes of each shard before and after, and which were trained again."""
    before, after, _ = run.models
    if not (isinstance(before, Ensemble) and isinstance(after, Ensemble)):
        return None
    return after.shards_since(before)


def table(run: GraphRun) -> list[str]:
    """Lines of text: what the run was, each model's numbers in percent, and the time it took."""
    numbers = report(run)
    columns = ("before", "after", "retrained")
    lines = [
        f"{run.plan.method} on {run.plan.dataset} ({run.plan.model}): "
        f"{run.plan.request.describe()}",
        f"{'':26}" + "".join(f"{name:>12}" for name in columns),
    ]
    for metric in REPORTED:
        values = (numbers[name][metric] for name in columns)
        cells = (f"{100 * v:>10.1f} %" if v is not None else f"{'-':>12}" for v in values)
        lines.append(f"{metric:26}" + "".join(cells))
    verdict = run.verdict
    by = f", betrayed by {verdict.betrayed_by}" if verdict.betrayed_by else ""
    lines.append(
        f"verdict: {verdict.word}{by}; {100 * verdict.share:.0f} % of the way to the ideal"
    )
    if verdict.damaged:
        lines.append(f"damaged: {', '.join(verdict.damaged)}")
    if run.identical:
        lines.append("the model is the retrained one, to the last bit")
    if hit := numbers["shards"]:
        lines.append(f"shards trained again: {len(hit['retrained'])} of {len(hit['before'])}")
    spent = (f"{run.seconds[name]:.2f} s {name}" for name in ("unlearning", "retraining"))
    return [
        *lines,
        f"{', '.join(spent)}; {100 * run.share:.0f} % of retraining one network on what is left",
    ]


def _status(stage: str, step: Step, spent: float) -> progress.Status:
    facts = f"step {step.done} of {step.total}"
    if step.loss is not None:
        facts += f", loss {step.loss:.3f}"
    left = spent / step.done * (step.total - step.done) if step.done > 2 else None
    line = f"{stage}: {facts}" + ("" if left is None else f", about {left:.0f} s left")
    return progress.Status(stage, step.done, step.total, facts, left, line)
