"""What a visitor takes along: the link to a choice or a run, tables, pictures and a report."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Sequence

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

File = tuple[str, str, str, Callable[[], bytes], str]
"""A short name, what the button says, how the file's name ends, what makes it, and an icon."""


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
    files: list[File] = [
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
    downloads(files, run.id, key)


def downloads(files: Sequence[File], stem: str, key: str) -> None:
    """A button for each file, which is made when it is asked for."""
    with st.container(horizontal=True):
        for kind, label, ending, make, icon in files:
            st.download_button(
                label,
                make,
                f"{stem}{ending}",
                mimetypes.guess_type(f"{stem}{ending}")[0],
                key=f"{key}-{kind}",
                on_click="ignore",
                icon=f":material/{icon}:",
            )


def of_a_view(files: Sequence[File], stem: str, command: str, **address_says: str) -> None:
    """What is taken along of a page that keeps nothing: its link, the command, its files."""
    box = st.expander("Take it with you", key=f"{stem}-home", on_change="rerun")
    if not box.open:
        return
    with box:
        try:
            st.code(address.share_link(**address_says), language=None, wrap_lines=True)
            st.caption("This link computes the same again: nothing is kept here.")
            st.code(command, language="bash", wrap_lines=True)
            downloads(files, stem, stem)
        except LabError as error:
            say(error)


def _csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False).encode()


def _page(run: Run, link: str) -> bytes:
    return report.page(run, link, methods.labels()).encode()
