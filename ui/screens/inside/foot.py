"""The numbers of a look inside as tables and files, and what it cannot show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from core.errors import LabError
from core.inside.found import MODELS
from core.runs.run import Run
from ui.services import inside as service
from ui.widgets.errors import say
from ui.widgets.figures import table
from ui.wording import inside as words

if TYPE_CHECKING:
    from core.inside.found import Inside


def foot(run: Run, inside: Inside) -> None:
    """Tables, files and limits."""
    by_depth = _by_depth(inside)
    box = st.expander("The charts as a table", key="inside-tables", on_change="rerun")
    if box.open:
        with box:
            percents = [name for name in by_depth.columns if name.startswith(("right", "moved"))]
            formats = {n: "%.3f" for n in by_depth.columns if n.startswith("CKA")}
            formats |= {n: "%.1f" for n in by_depth.columns if n.startswith("from")}
            table(by_depth, "Every depth in numbers", percents, formats)
    with st.container(horizontal=True):
        st.download_button(
            "Numbers by depth (CSV)",
            lambda: by_depth.to_csv(index=False).encode(),
            f"{run.id}-inside.csv",
            "text/csv",
            key="inside-csv",
            on_click="ignore",
            icon=":material/table:",
        )
        _weights(run)
    st.caption(words.limits(inside))


def _weights(run: Run) -> None:
    """The network that the run left, as long as it is kept."""
    try:
        content = service.weights(run)
    except LabError as error:
        say(error)
        return
    if content is not None:
        st.download_button(
            f"The unlearned network (safetensors, {len(content) / 1e6:.0f} MB)",
            content,
            f"{run.id}.safetensors",
            "application/octet-stream",
            key="inside-weights",
            on_click="ignore",
            icon=":material/download:",
        )


def _by_depth(inside: Inside) -> pd.DataFrame:
    """One row a depth; fractions, and differences in points."""
    columns = {"depth": [str(depth) for depth in inside.depths]}
    others = "other classes" if inside.whole else "new photos"
    for i, model in enumerate(MODELS):
        title = words.TITLES[model].lower()
        columns[f"right on forgotten, {title}"] = inside.right[i, :, 0]
        columns[f"right on {others}, {title}"] = inside.right[i, :, 1]
    for i, title in enumerate(("before", "now")):
        for j, what in enumerate(("", ", low", ", high")):
            columns[f"from the ideal, {title}{what}"] = 100 * inside.away[i, :, j]
    pairs = ("before and ideal", "now and ideal", "before and now")
    for j, side in enumerate(("forgotten", "kept")):
        for i, pair in enumerate(pairs):
            columns[f"CKA of {pair}, {side}"] = inside.alike[i, j]
    return pd.DataFrame(columns | {"moved": inside.moved})
