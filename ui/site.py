"""The results that ship, as a folder of plain pages for hosts that run no Python.

Every page is whole in itself: charts are drawn into it, nothing is loaded from elsewhere. It stands
in `ui`, and not among the commands of `core`, because the pages are made of the app's words and
charts, which `core` does not know.

    python -m ui.site FOLDER
"""

from __future__ import annotations

import html
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.errors import BadRequest, LabError
from core.files import SHIPPED
from core.runs.measured import measured_methods
from core.runs.run import Run
from core.runs.run_files import run_from_files, shipped_runs
from ui import report
from ui.wording import measured, terms, titles, verdicts

INTRODUCTION = (
    "A network learned ten kinds of things from 50,000 small photos, and some photos it learned by "
    "heart. Then it was told to forget some of them. Did it? Each run below stands beside the "
    "ideal: a network trained anew without those images."
)
NOTE = "These pages were made from results that ship with Forgetting Lab. Its app runs it live."


def main(arguments: Sequence[str]) -> int:
    """Writes the site into the folder that is named; gives the exit code."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python -m ui.site FOLDER", file=sys.stderr)
        return 2
    try:
        count = export_site(Path(arguments[0]))
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, BadRequest) else 1
    print(f"The site is in {arguments[0]}: {count} runs.")
    return 0


def export_site(folder: Path, shipped: Path = SHIPPED) -> int:
    """Writes index.html and a page, the numbers and the plan of every run that ships; gives how
    many runs these are. The folder is complete or as it was before. Raises BadRequest for one that
    holds something else, LabError where it cannot be written."""
    folder = folder.expanduser().absolute()
    if folder.exists() and not (folder.is_dir() and _may_be_replaced(folder)):
        raise BadRequest(
            f"{folder} holds something else than such a site.",
            "Give a folder that is new or empty.",
        )
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    try:
        part.mkdir(parents=True)
        count = _write(part, shipped)
        if folder.exists():
            os.replace(folder, old)
        os.replace(part, folder)
    except OSError as error:
        if old.exists() and not folder.exists():
            os.replace(old, folder)
        raise LabError(f"The site cannot be written into {folder}: {error.strerror}.") from error
    finally:
        for rest in (part, old):
            shutil.rmtree(rest, ignore_errors=True)
    return count


def _may_be_replaced(folder: Path) -> bool:
    """Whether a folder is empty or a site of before."""
    index = folder / "index.html"
    return not any(folder.iterdir()) or (index.is_file() and NOTE in index.read_text("utf-8"))


def _write(folder: Path, shipped: Path) -> int:
    labels = _labels()
    runs = [run_from_files(shipped / "runs", run.id) for run in shipped_runs(shipped / "runs")]
    for run in runs:
        (folder / f"{run.id}.html").write_text(report.page(run, "", labels), "utf-8")
        report.metrics_table(run).to_csv(folder / f"{run.id}-metrics.csv", index=False)
        (folder / f"{run.id}-plan.json").write_bytes(report.plan_json(run.plan))
    (folder / "index.html").write_text(_index(runs, measured_methods(shipped), labels), "utf-8")
    return len(runs)


def _labels() -> dict[str, str]:
    from core.unlearners import CONTROLS, METHODS  # imports torch, which takes seconds

    return {name: method.label for name, method in (METHODS | CONTROLS).items()}


def _index(runs: Sequence[Run], rows: Sequence[Mapping[str, Any]], labels: dict[str, str]) -> str:
    esc = html.escape
    cards = "".join(_card(run, labels) for run in runs) or "<p>No run ships with this copy.</p>"
    return (
        f"{report.head('results')}<h1>Can a neural network forget?</h1><p>{esc(INTRODUCTION)}</p>"
        f"{cards}<p>{esc(terms.LIMITS)}</p>{_methods(rows, labels)}<p>{esc(NOTE)}</p></body></html>"
    )


def _card(run: Run, labels: dict[str, str]) -> str:
    """A run: what was forgotten, the verdict, before and after, and the way to all of it."""
    esc = html.escape
    return (
        f"<section><h2>{esc(titles.plan_title(run.plan, labels))}</h2>"
        f"<p><strong>{esc(verdicts.headline(run))}</strong></p>{report.figures(run)}"
        f'<p><a href="{run.id}.html">All numbers, and how to repeat it</a>. '
        f'<a href="{run.id}-metrics.csv">Numbers (CSV)</a>. '
        f'<a href="{run.id}-plan.json">Plan (JSON)</a>.</p></section>'
    )


def _methods(rows: Sequence[Mapping[str, Any]], labels: dict[str, str]) -> str:
    """The measured methods, a table a case, the nearest first."""
    esc = html.escape
    tables = ""
    for case in dict.fromkeys(row["case"] for row in rows):
        body = "".join(
            f"<tr><th scope=row>{esc(_name(row, labels))}</th><td>{row['gap']:.2f}</td>"
            f"<td>{row['low']:.2f} to {row['high']:.2f}</td><td>{row['seconds']:.1f}</td></tr>"
            for row in sorted(rows, key=lambda row: row["gap"])
            if row["case"] == case
        )
        tables += (
            f"<h3>{esc(measured.CASES.get(case, case))}</h3><table><tr><th>Method</th>"
            "<th>Distance to retrained (points)</th><th>95 % interval</th><th>Seconds</th></tr>"
            f"{body}</table>"
        )
    return f"<h2>The methods, measured on CIFAR-10</h2>{tables}" if tables else ""


def _name(row: Mapping[str, Any], labels: dict[str, str]) -> str:
    control = row["control"]
    return f"Control: {control}" if control else labels.get(row["method"], row["method"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
