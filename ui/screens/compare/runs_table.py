"""The forget set first, then the table of its runs, from which two or more are ticked."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.errors import LabError
from core.runs.summary import RunSummary
from ui import links, outside
from ui.screens.compare.foot import leave
from ui.services import methods, runs
from ui.state import values
from ui.state.session import session
from ui.widgets.errors import say
from ui.widgets.figures import table
from ui.widgets.forget_set import of_one_set
from ui.widgets.frame import CHOOSE
from ui.wording import terms, titles

PAGE = 200
"""As many of the store's runs as the table shows, and as many more for older ones."""


def ticked_or_leave() -> list[str]:
    """Shows the table; gives the ids of the runs ticked, in the order of ticking."""
    try:
        rows_shown = values.first("compare-rows", PAGE)
        summaries = runs.summaries(session.owner, rows_shown, session.compare_default)
        older = runs.count(session.owner) - rows_shown
    except LabError as error:
        say(error)
        leave()
    if not summaries:
        st.info(
            "No run has finished yet, so there is nothing to compare.", icon=":material/compare:"
        )
        if st.button("Choose what to forget", type="primary", key="to-choose"):
            st.switch_page(CHOOSE)
        leave()
    known = [summary.id for summary in summaries]
    if unknown := [id for id in session.compare_default if id not in known]:
        st.warning(
            outside.plain(f"There is no finished run {links.some(unknown)} on this server."),
            icon=":material/link_off:",
        )
    shown = of_one_set(summaries, "compare-set", session.compare_default)
    ids = [summary.id for summary in shown]
    if others := [id for id in session.compare_default if id in known and id not in ids]:
        st.warning(
            outside.plain(
                f"The link also names {links.some(others)}, which forgot different images: compare "
                "each with its own retrained model, not with each other."
            ),
            icon=":material/warning:",
        )
    rows = _table(shown, ids)
    if older > 0 and st.button(f"Show older runs ({older:,} more)", key="older"):
        values.put("compare-rows", rows_shown + PAGE)
        st.rerun()
    chosen = [ids[row] for row in rows]
    # Keep the order in which they were ticked: A stays A.
    order = [id for id in session.compare if id in chosen]
    chosen = order + [id for id in chosen if id not in order]
    session.compare = chosen
    return chosen


def _table(summaries: Sequence[RunSummary], ids: list[str]) -> list[int]:
    """Draws the table with the ticks that hold at the moment; gives the rows ticked."""
    # The table knows rows, not runs: when a run is added, it starts anew from the runs ticked.
    if values.get("compare-ids") != ids:
        if values.has("compare-ids"):
            session.compare_default = session.compare
        values.put("compare-ids", ids)
    ticked = [ids.index(id) for id in session.compare_default if id in ids]
    st.markdown("Tick two or more in the first column. The first you tick is A, the second B.")
    event = table(
        _frame(summaries),
        "Finished runs, to choose from",
        percents=("spy", "its ideal", "inside", "ideal inside", "right on new images"),
        formats={"seconds": "%.1f", "inside": "%+.1f", "ideal inside": "%+.1f"},
        on_select="rerun",
        selection_mode="multi-row",
        key=f"runs-{zlib.crc32(repr((ids, ticked)).encode())}",
        selection_default={"selection": {"rows": ticked}},
    )
    st.caption(
        "Spy: how often it finds a forgotten photo the more familiar, beside a new one (margin "
        "attack, AUC). Inside: how much better a new last layer knows the forgotten photos than "
        "others, in points (re-head excess). Right on new images: retained test accuracy. Seconds: "
        "unlearning only. Shipped: made by the makers of this app. Differs in, where there is such "
        "a column: what tells a run from others of its method."
    )
    rows: list[int] = event.selection.rows
    return rows


def _frame(summaries: Sequence[RunSummary]) -> pd.DataFrame:
    """One row a run."""
    frame = pd.DataFrame(
        {
            "method": [methods.label(s.plan.method) for s in summaries],
            "differs in": titles.differences(
                [s.plan for s in summaries], [s.settings for s in summaries], methods.setting_label
            ),
            "spy": [s.value("after", "margin_auc") for s in summaries],
            "its ideal": [s.value("retrained", "margin_auc") for s in summaries],
            "inside": [s.value("after", "re_head") for s in summaries],
            "ideal inside": [s.value("retrained", "re_head") for s in summaries],
            "right on new images": [s.value("after", "retained_test_accuracy") for s in summaries],
            "seconds": [s.seconds.get("unlearning") for s in summaries],
            "status": [f"{terms.STATUS[s.status]}{', shipped' * s.shipped}" for s in summaries],
            "started": [s.created[:16].replace("T", " ") for s in summaries],
        }
    ).astype({"seconds": float})
    if not frame["differs in"].any():
        frame = frame.drop(columns="differs in")
    return frame
