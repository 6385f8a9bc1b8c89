"""What a visitor takes along: the link to a choice or a run, tables, pictures and a report."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable

import pandas as pd
import streamlit as st

from core.errors import LabError
from core.runs.run import Run
from core.runs.shell.command import command_of
from ui import report
from ui.services import methods
from ui.state import address
from ui.widgets.errors import say
from ui.widgets.sharing import link_of


def link_box(label: str, said: str) -> None:
    """A link to this page's draft, made (and a long choice stored) once the box is opened."""
    box = st.expander(label, key="link-box", on_change="rerun")
    if not box.open:
        return
    with box:
        try:
            st.code(address.share_link(), language=None, wrap_lines=True)
            st.caption(said)
        except LabError as error:
            say(error)


def exports(run: Run, saved: bool, key: str) -> None:
    """Link (of a run that is saved), tables, pictures and report; each file is made when it is
    asked for."""
    st.markdown("##### Take it with you")
    link = link_of(run.id) if saved else ""
    files: list[tuple[str, str, str, Callable[[], bytes], str]] = [
        ("csv", "Numbers (CSV)", "-metrics.csv", lambda: _csv(report.metrics_table(run)), "table"),
        (
            "losses",
            "Loss of every image (CSV)",
            "-losses.csv",
            lambda: _csv(report.losses_table(run)),
            "table_rows",
        ),
        ("plan", "Plan (JSON)", "-plan.json", lambda: report.plan_json(run.plan), "data_object"),
    ]
    if run.after is not None:
        files += [
            ("png", "Charts (PNG, SVG)", "-charts.zip", lambda: report.pictures(run), "image"),
            ("html", "Report (HTML)", ".html", lambda: _page(run, link), "description"),
        ]
    if run.plan.base == "base":
        with st.expander("Repeat it from a shell"):
            st.code(command_of(run.plan), language="bash", wrap_lines=True)
    with st.container(horizontal=True):
        for kind, label, ending, make, icon in files:
            st.download_button(
                label,
                make,
                f"{run.id}{ending}",
                mimetypes.guess_type(f"{run.id}{ending}")[0],
                key=f"{key}-{kind}",
                on_click="ignore",
                icon=f":material/{icon}:",
            )


def _csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False).encode()


def _page(run: Run, link: str) -> bytes:
    return report.page(run, link, methods.labels()).encode()
