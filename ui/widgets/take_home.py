"""What a visitor takes along: the link to a choice or a run, tables, pictures and a report."""

from __future__ import annotations

import streamlit as st

from core.errors import LabError
from core.runs.run import Run
from ui import report
from ui.services import methods
from ui.state import address
from ui.widgets.errors import say


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


def exports(run: Run, link: str, key: str) -> None:
    """Link ("" for a run that is not saved), tables, pictures and report; each file is made when
    it is asked for."""
    st.markdown("##### Take it with you")
    if link:
        st.code(link, language=None, wrap_lines=True)
        st.caption("This link shows the result and its settings. It starts nothing.")
    with st.container(horizontal=True):
        st.download_button(
            "Numbers (CSV)",
            lambda: report.metrics_table(run).to_csv(index=False).encode(),
            f"{run.id}-metrics.csv",
            "text/csv",
            key=f"{key}-csv",
            on_click="ignore",
            icon=":material/table:",
        )
        st.download_button(
            "Loss of every image (CSV)",
            lambda: report.losses_table(run).to_csv(index=False).encode(),
            f"{run.id}-losses.csv",
            "text/csv",
            key=f"{key}-losses",
            on_click="ignore",
            icon=":material/table_rows:",
        )
        if run.after is not None:
            st.download_button(
                "Charts (PNG)",
                lambda: report.pictures(run),
                f"{run.id}-charts.zip",
                "application/zip",
                key=f"{key}-png",
                on_click="ignore",
                icon=":material/image:",
            )
            st.download_button(
                "Report (HTML)",
                lambda: report.page(run, link, methods.labels()).encode(),
                f"{run.id}.html",
                "text/html",
                key=f"{key}-html",
                on_click="ignore",
                icon=":material/description:",
            )
