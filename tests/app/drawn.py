"""What a chart on screen is drawn from."""

from __future__ import annotations

from typing import Any

from streamlit import dataframe_util


def rows(chart: Any, field: str) -> list[dict[str, Any]]:
    """The rows of the first of a chart's data sets that has this field; none where none has."""
    for named in chart.proto.datasets:
        frame = dataframe_util.convert_arrow_bytes_to_pandas_df(named.data.data)
        if field in frame:
            return frame.astype(object).where(frame.notna(), None).to_dict("records")
    return []


def strip_of(at: Any) -> dict[str, dict[str, Any]]:
    """What the first forgetting strip on screen knows of each row, by its question."""
    for chart in at.get("vega_lite_chart"):
        if found := rows(chart, "reading"):
            return {row["label"]: row for row in found}
    return {}
