"""Charts and tables, with what a screen reader calls them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import altair as alt
import pandas as pd
import streamlit as st


def draw(
    chart: alt.Chart | alt.LayerChart, key: str, width: Literal["stretch", "content"] = "stretch"
) -> None:
    """Shows a chart; its description becomes what a screen reader calls it. width: as wide as there
    is room, or as the chart says."""
    named = chart.copy(deep=False)
    named.description = alt.Undefined
    st.altair_chart(named, alt=chart.description, key=key, width=width)


def table(
    content: pd.DataFrame | Mapping[str, Any],
    alt: str,
    percents: Iterable[str] = (),
    formats: Mapping[str, str] | None = None,
    **options: Any,
) -> Any:
    """Shows a table without its index. alt: what a screen reader calls it. percents: columns of
    shares from 0 to 1, shown in percent. formats: printf formats of other columns. options: those
    of `st.dataframe`, whose answer this returns.
    """
    shown = pd.DataFrame(content)
    percents = list(percents)
    shown = shown.astype(dict.fromkeys(percents, float))
    shown[percents] *= 100
    formats = dict.fromkeys(percents, "%.1f %%") | dict(formats or {})
    columns = {name: st.column_config.NumberColumn(format=text) for name, text in formats.items()}
    return st.dataframe(shown, hide_index=True, alt=alt, column_config=columns, **options)
