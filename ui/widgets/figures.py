"""Charts and tables, with what a screen reader calls them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from ui.charts.palette import DARK, INK

READABLE = {name: {"labelColor": INK, "titleColor": INK} for name in ("axis", "legend")}
"""Streamlit's own colours of a chart's text are too faint: they have a contrast of 4 to 1."""


def draw(chart: alt.TopLevelMixin | Mapping[str, Any], key: str, **options: Any) -> Any:
    """Shows a chart, or its Vega-Lite, in the colours of the theme; its description becomes what a
    screen reader calls it. options: those of `st.vega_lite_chart`, whose answer this returns."""
    spec = chart if isinstance(chart, Mapping) else chart.to_dict()
    shown = {**spec, "config": {**spec.get("config", {}), **READABLE}}
    text = shown.pop("description", "")
    if options.get("width") == "content":  # else its legend would take its room from the picture
        shown["autosize"] = {"type": "pad"}
    if st.context.theme.type == "dark":
        written = json.dumps(shown)
        for light, dark in DARK.items():
            written = written.replace(light, dark)
        shown = json.loads(written)
    return st.vega_lite_chart(shown, alt=text, key=key, **options)


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
