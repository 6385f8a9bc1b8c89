"""The numbers and verdicts of two runs side by side, and what is taken along of both."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.runs.run import Run
from ui import outside, report
from ui.services import methods
from ui.state import address
from ui.state.session import session
from ui.widgets.columns import Column
from ui.widgets.frame import UNLEARN
from ui.widgets.sharing import still_private
from ui.wording import hosting, numbers, terms, titles, verdicts


def names_of(pair: Sequence[Run]) -> list[str]:
    """The runs' methods, with what they differ in where they have the same name."""
    apart = titles.differences(
        [run.plan for run in pair], [run.settings for run in pair], methods.setting_label
    )
    return [
        methods.label(run.plan.method) + f" ({said})" * bool(said)
        for run, said in zip(pair, apart, strict=True)
    ]


def side_by_side(pair: Sequence[Run], names: Sequence[str]) -> None:
    """Each run's table, its verdict, and the way to it."""
    st.subheader("The numbers")
    for place, letter, name, run in zip(st.columns(2), "AB", names, pair, strict=True):
        with place:
            title = f"{name}: {run.plan.request.describe()}"
            st.markdown(f"##### {letter}: {outside.plain(title)}")
            st.table(_table(run), alt=f"The numbers of run {letter}")
            st.markdown(f"**{verdicts.headline(run)}** {verdicts.reasons(run)}")
            if st.button("Show this run", key=f"show-{letter}"):
                session.run = run.id
                st.switch_page(UNLEARN)


def _table(run: Run) -> pd.DataFrame:
    """One column a model, one row a number."""
    rows = []
    for model, evaluation in (
        ("before", run.before),
        ("after", run.after),
        ("retrained", run.retrained),
    ):
        column = Column.of(evaluation, run.plan.request)
        rows.append(
            {
                "": terms.SHORT[model],
                "spy's score, fair question": numbers.value(column.spy),
                "spy's score, all new images": numbers.value(column.spy_plain),
                "right on images to forget": numbers.value(column.forget),
                "right on new images it kept": numbers.value(column.useful),
            }
        )
    return pd.DataFrame(rows).set_index("").T


def take_along(pair: Sequence[Run]) -> None:
    """The link to the comparison, and the numbers of both runs as a file."""
    st.markdown("##### Take it with you")
    link = address.share_link(False, runs=",".join(run.id for run in pair))
    st.code(link, language=None, wrap_lines=True)
    if text := hosting.private_runs(still_private([run.id for run in pair])):
        st.caption(text)
    st.download_button(
        "Numbers of both (CSV)",
        lambda: pd.concat([report.metrics_table(run) for run in pair]).to_csv(index=False).encode(),
        "compare.csv",
        "text/csv",
        key="compare-csv",
        on_click="ignore",
        icon=":material/table:",
    )
