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
from ui.wording import comparison, hosting, strip
from ui.wording.comparison import LETTERS, Entrant


def verdicts_of(entrants: Sequence[Entrant]) -> None:
    """Each one's verdict in a line, and the way to its runs."""
    places = st.columns(len(entrants))
    for place, letter, entrant in zip(places, LETTERS, entrants, strict=False):
        with place.container(border=True, height="stretch"):
            st.markdown(f"##### {letter}: {outside.plain(entrant.name)}")
            st.markdown(comparison.headlines(entrant))
            for run in entrant.runs:
                one = len(entrant.runs) == 1
                label = "Show this run" if one else f"Show seed {run.plan.seed}"
                if st.button(label, key=f"show-{letter}" if one else f"show-{letter}-{run.id}"):
                    session.run = run.id
                    st.switch_page(UNLEARN)


def strips(entrants: Sequence[Entrant]) -> None:
    """The strips stacked, question by question, what they show, and the same as one table."""
    found = comparison.questions(entrants)
    if not found:
        st.info("No ideal is known for these runs, so there is nothing to be near to.")
        return
    text = comparison.takeaway(found)
    groups = [(question.title, list(question.rows.values())) for question in found]
    said = f"The forgetting strips of {sum(len(e.runs) for e in entrants)} runs. {text}"
    draw(stacked(groups, said), "compare-strips")
    seeds = any(len(entrant.runs) > 1 for entrant in entrants)
    st.caption(strip.SEEDS_LEGEND if seeds else strip.LEGEND)
    st.markdown(f"**{text}**")
    with st.expander("The same as a table"):
        parts = []
        for question in found:
            rows = list(question.rows.values())
            part = pd.DataFrame(strip.table(rows)).rename(columns={"question": "run"})
            if seeds:
                part["each seed"] = [
                    ", ".join(f"{100 * x:.1f}" for x in row.seeds) or "one" for row in rows
                ]
            parts.append(part.assign(question=question.title))
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
