"""The link that opens this view, and what is taken along of a model that forgot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from core.data.requests import ForgetRequest
from core.runs.plan import Plan
from core.runs.run_files import to_json
from core.runs.shell.command import command_of
from ui.report import numbers_table
from ui.state import address, values
from ui.widgets.take_home import File, of_a_view

if TYPE_CHECKING:
    from core.graphical.forgetting import Forgotten

WIDGETS = {
    "counted": "probabilities-model",
    "hidden": "probabilities-hidden",
    "way": "probabilities-method",
}
"""The parameters of a link, and the widgets that show them."""


def from_link() -> None:
    """Reads what the link that opened the page says of the widgets."""
    if said := address.own(*WIDGETS):
        values.put("probabilities-linked", said)


def first(name: str, options: Iterable[str], usual: str) -> str:
    """What a widget says before anybody touches it: the link's, where that is one of `options`."""
    linked: str = values.get("probabilities-linked", {}).get(name, usual)
    return linked if linked in options else usual


def view() -> dict[str, str]:
    """The parameters of a link that opens this view."""
    return {name: str(values.get(key) or "") for name, key in WIDGETS.items()}


def take_home(done: Forgotten, request: ForgetRequest) -> None:
    """Link, command and files of a model."""
    task = done.task
    settings = task.method.settings()
    plan = Plan(task.model.name, task.dataset.name, request, task.method.name, settings, task.seed)

    def record() -> bytes:
        from core.graphical.measuring import evaluations
        from core.metrics.registry import METRICS
        from core.runs.shell.graphical import report

        every = evaluations(task, done.models, tuple(METRICS.values()))  # the screen needs fewer
        return f"{to_json(report(plan, replace(done, measured=every)))}\n".encode()

    def table() -> bytes:
        return numbers_table({**done.measured}).to_csv(index=False).encode()

    files: list[File] = [
        ("csv", "Numbers (CSV)", ".csv", table, "table"),
        ("json", "Record (JSON)", ".json", record, "data_object"),
    ]
    said = {name: value for name, value in view().items() if value}
    of_a_view(files, task.model.name, command_of(plan), **said)
