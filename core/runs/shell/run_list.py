"""The runs of the store: as records, as lines of text, and as a table for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from core.errors import LabError
from core.runs.shell.report import report
from core.runs.store.store import Store
from core.runs.summary import RunSummary

if TYPE_CHECKING:
    from rich.table import Table

NONE_YET = (
    "No runs yet. Start one: python -m core unlearn --dataset digits "
    "--forget random:0.1 --method fine_tune"
)


def run_reports(store: Store) -> list[dict[str, Any]]:
    """The report of every run; for one that cannot be read, its id and why."""
    return [_report(store, summary) for summary in store.summaries()]


def _report(store: Store, summary: RunSummary) -> dict[str, Any]:
    try:
        return report(store.load(summary.id))
    except LabError as error:
        return {"id": summary.id, "status": summary.status, "error": str(error)}


def run_lines(summaries: Iterable[RunSummary]) -> list[str]:
    """One run a line, or a sentence where there is none."""
    return [
        f"{item.id}  {item.created}  {item.status:11} {item.plan.method:20} "
        f"{item.plan.request.describe()}"
        for item in summaries
    ] or [NONE_YET]


def run_table(summaries: Iterable[RunSummary]) -> Table:
    """The same for Rich to draw."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("run", "created", "status", "method", "forgotten"):
        table.add_column(name, no_wrap=name in ("run", "method"))
    for item in summaries:
        request = item.plan.request.describe()
        cells = (item.id, item.created, item.status, item.plan.method, request)
        table.add_row(*map(Text, cells))  # what was typed is no markup
    return table
