"""`unlearn` with a probabilistic model: trained here, in the same command, and kept nowhere.

What takes a while to import is imported in the functions: the shell's help needs none of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.data.request_text import parse_request
from core.errors import Cancelled
from core.runs.plan import Plan
from core.runs.shell import progress
from core.runs.shell.beyond_images import Asked
from core.runs.shell.exit_codes import CANCELLED
from core.runs.shell.interrupts import stopped_by_ctrl_c
from core.runs.shell.output import put, say
from core.runs.shell.report import number_lines, reported, verdict_lines
from core.runs.shell.targets import SCREEN, check_targets, write_json

if TYPE_CHECKING:
    from core.graphical.forgetting import Forgotten
    from core.graphical.network import InNetwork
    from core.graphical.task import Task


def unlearn(asked: Asked) -> int:
    """Trains, unlearns, retrains, measures and shows; gives the exit code. Raises BadRequest, and
    what loading the images raises."""
    request = parse_request(asked.forget, asked.forget_seed)
    settings = dict(asked.settings)
    plan = Plan(asked.model, asked.dataset, request, asked.method, settings, asked.seed)
    json = asked.json
    check_targets(json, None)
    with stopped_by_ctrl_c() as stop, progress.progress(every=2) as show:

        def tick(phase: str) -> None:
            if stop():
                raise Cancelled("Cancelled.")
            show(progress.Status(phase, 0, 0, "", None, phase, due=True))

        try:
            task = _prepared(plan, asked.data, tick)
            done, inside = _run(task, tick)
        except Cancelled:
            say("cancelled")
            return CANCELLED
    content = report(plan, done, inside)
    if json != SCREEN:
        put(lines(plan, content))
    if json:
        write_json(json, content)
    return 0


def _prepared(plan: Plan, data: Path | None, tick: Any) -> Task:
    from core.checkpoints.memorisation import split_of
    from core.data.load import load_dataset
    from core.graphical.methods import make
    from core.graphical.registry import model_of, sides
    from core.graphical.task import Task

    model = model_of(plan.model, plan.dataset)
    method = make(plan.method, model, plan.settings)
    dataset = load_dataset(plan.dataset, data)
    parts = split_of(dataset, plan.request)
    rows = sides(model, dataset, lambda: tick("reading the images"))
    return Task(model, method, dataset, rows, parts, plan.seed)


def _run(task: Task, tick: Any) -> tuple[Forgotten, InNetwork | None]:
    from core.graphical.discriminant import GaussianDiscriminant
    from core.graphical.forgetting import forget
    from core.graphical.network import in_network, retrained_network

    done = forget(task, tick=tick)
    if not issubclass(task.model, GaussianDiscriminant):
        return done, None
    network = retrained_network(done)
    if network is None:
        return done, None
    return done, in_network(done, network, after_batch=lambda: tick("reading the images"))


def report(plan: Plan, done: Forgotten, inside: InNetwork | None = None) -> dict[str, Any]:
    """What `--json` writes. exact: whether the model after is the retrained one, bit for bit.
    counts: how many numbers the sums are, and how many of them changed; None without sums. trees:
    those that are another one than before, by class; one for all classes under "". network: the
    same head judged against a network that never saw the images, where one is kept."""
    from core.checkpoints.provenance import versions

    task, verdict = done.task, done.verdict
    found: dict[str, Any] = {
        **{name: reported(evaluation) for name, evaluation in done.measured.items()},
        "intervals": {name: each.metrics() for name, each in done.measured.items()},
        "verdict": verdict.to_dict() if verdict else None,
        "exact": done.exact,
        "counts": done.counts,
        "trees": [tree.to_dict() for tree in done.trees if tree.changed],
        "seconds": dict(done.seconds),
        "plan": plan.to_dict(),
        "settings": task.method.settings(),
        "versions": versions(),
        "data": {
            "dataset": task.dataset.name,
            "fingerprint": task.dataset.fingerprint,
            "source": task.dataset.source,
            "forget": len(task.split.forget),
            "retain": len(task.split.retain),
            "test": len(task.split.test),
            "forget_digest": task.split.digest,
        },
        "network": None,
    }
    if inside is not None:
        found["network"] = {
            "retrained": reported(inside.measured["retrained"]),
            "intervals": {name: each.metrics() for name, each in inside.measured.items()},
            "verdict": inside.verdict.to_dict() if inside.verdict else None,
        }
    return found


def lines(plan: Plan, content: dict[str, Any]) -> list[str]:
    """The same for a screen."""
    columns = {name: content[name] for name in ("before", "after", "retrained")}
    found = [
        f"{plan.model}: {plan.method}, {plan.request.describe()}",
        *number_lines(columns),
        *verdict_lines(content["verdict"], content["seconds"]),
    ]
    if counts := content["counts"]:
        found.append(f"{counts['changed']:,} of {counts['numbers']:,} counts changed")
    if content["exact"]:
        found.append("exact: bit for bit the model that was retrained")
    for tree in content["trees"]:
        which = f"the tree of {tree['class']}" if tree["class"] else "the tree"
        found.append(f"{which} is another one: {tree['lost']} edges gone, {tree['new']} new")
    if network := content["network"]:
        found += ["against a network that never saw these images, its own features and head:"]
        found += number_lines({"after": content["after"], "retrained": network["retrained"]})
        found += verdict_lines(network["verdict"], {})
    return found
