"""The strips of several runs on one forget set, their table, and what is taken along of them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.runs.run import Run
from ui import outside, report
from ui.charts.strip import stacked
from ui.state import address
from ui.state.session import session
from ui.widgets.figures import draw, table
from ui.widgets.frame import UNLEARN
from ui.widgets.sharing import still_private
from ui.wording import comparison, hosting, strip, verdicts
from ui.wording.comparison import LETTERS


def verdicts_of(runs: Sequence[Run], names: Sequence[str]) -> None:
    """Each run's verdict in a line, and the way to it."""
    for place, letter, name, run in zip(st.columns(len(runs)), LETTERS, names, runs, strict=False):
        with place.container(border=True, height="stretch"):
            st.markdown(f"##### {letter}: {outside.plain(name)}")
            st.markdown(verdicts.headline(run))
            if st.button("Show this run", key=f"show-{letter}"):
                session.run = run.id
                st.switch_page(UNLEARN)


def strips(runs: Sequence[Run], names: Sequence[str]) -> None:
    """The strips stacked, question by question, what they show, and the same as one table."""
    found = comparison.questions(runs, names)
    if not found:
        st.info("No ideal is known for these runs, so there is nothing to be near to.")
        return
    text = comparison.takeaway(found)
    groups = [(question.title, list(question.rows.values())) for question in found]
    draw(stacked(groups, f"The forgetting strips of {len(runs)} runs. {text}"), "compare-strips")
    st.caption(strip.LEGEND)
    st.markdown(f"**{text}**")
    with st.expander("The same as a table"):
        parts = [
            pd.DataFrame(strip.table(list(question.rows.values())))
            .rename(columns={"question": "run"})
            .assign(question=question.title)
            for question in found
        ]
        whole = pd.concat(parts).drop(columns="measured as")
        table(whole[["question", *whole.columns[:-1]]], "The strips of the runs as one table")


def take_along(runs: Sequence[Run]) -> None:
    """The link to the comparison, and the numbers of all runs as a file."""
    st.markdown("##### Take it with you")
    link = address.share_link(False, runs=",".join(run.id for run in runs))
    st.code(link, language=None, wrap_lines=True)
    if text := hosting.private_runs(still_private([run.id for run in runs])):
        st.caption(text)
    st.download_button(
        "Numbers of all (CSV)",
        lambda: pd.concat([report.metrics_table(run) for run in runs]).to_csv(index=False).encode(),
        "compare.csv",
        "text/csv",
        key="compare-csv",
        on_click="ignore",
        icon=":material/table:",
    )
