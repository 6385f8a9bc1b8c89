"""How near the methods came to the retrained network, where that was measured."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from ui.services import methods
from ui.widgets.figures import table
from ui.wording import measured as sentences
from ui.wording import numbers


def measured(rows: Sequence[Mapping[str, Any]], case: str) -> None:
    """The table of one case and what it says, where somebody opens it. rows: as
    `core.runs.measured` has them."""
    box = st.expander("All that was measured, as a table", key="methods-table", on_change="rerun")
    if not box.open:
        return
    with box:
        rows = sorted((row for row in rows if row["case"] == case), key=lambda row: row["gap"])
        _table(rows)
        _reading(rows)


def _table(rows: Sequence[Mapping[str, Any]]) -> None:
    """One row a method or control, the nearest first."""
    table(
        {
            "method": [
                f"Control: {row['control']}" if row["control"] else methods.label(row["method"])
                for row in rows
            ],
            "distance to retrained (points)": [row["gap"] for row in rows],
            "95 % interval": [f"{row['low']:.2f} to {row['high']:.2f}" for row in rows],
            "reading": sentences.readings(rows),
            "spy": [row["attack"] for row in rows],
            "right on images to forget": [row["forget_accuracy"] for row in rows],
            "right on new images": [row["retained_test_accuracy"] for row in rows],
            "seconds": [row["seconds"] for row in rows],
            "share of retraining": [row["share"] for row in rows],
        },
        "The methods, measured",
        percents=(
            "spy",
            "right on images to forget",
            "right on new images",
            "share of retraining",
        ),
        formats={"distance to retrained (points)": "%.2f", "seconds": "%.1f"},
    )


def _reading(rows: Sequence[Mapping[str, Any]]) -> None:
    """What the table says, what it cannot say, and how it was measured."""
    faster = [row for row in rows if row["method"] != "retrain" and not row["control"]]
    again = next((row for row in rows if row["method"] == "retrain"), None)
    st.markdown(sentences.nearest(rows, methods.label))
    if again:
        st.markdown(
            f"Retraining once more, from other random weights, ends {again['gap']:.1f} points from "
            f"the first retraining (95 % interval {again['low']:.1f} to {again['high']:.1f}): "
            "nearer than that cannot be told from luck."
        )
    # A method that computes on the stored features has no way to change them.
    known = methods.descriptions()
    heads = [row["method"] for row in faster if "features" in known[row["method"]]["needs"]]
    st.markdown(sentences.blind([methods.label(name) for name in heads]))
    if faster:
        shares = [row["share"] for row in faster]
        st.markdown(
            "The methods were held to a small part of retraining's time: half of them took less "
            f"than {numbers.percent(statistics.median(shares))}, the longest "
            f"{numbers.percent(max(shares))}. How near they come with more was not measured."
        )
    st.caption(
        "Distance: the mean difference to the retrained network in accuracy on the images to "
        "forget, on those to keep and on new ones, and in the spy's score (against the same class "
        "where a class is forgotten). Its interval is from a bootstrap over images; tied: the "
        "interval of the difference from the nearest method holds 0. Controls are tricks that "
        "forget nothing. Default settings, "
        f"{numbers.seeds([row['seeds'] for row in faster])} each, two cores. Retraining's seconds "
        "are its steps at the rate measured beside each method, the median of all; a method's are "
        "its share of that, since not all were measured on one machine."
    )
