"""The losses of two runs in the same charts, and these as a table."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.metrics.histogram import BINS, density, overlap
from core.runs.run import Run
from ui.charts import palette
from ui.charts.histograms import overlaid, top_share
from ui.widgets.figures import draw, table
from ui.wording import numbers


def losses_of_two(first: Run, second: Run, names: Sequence[str]) -> None:
    """The losses of two runs and their table, where somebody opens them. names: of the runs."""
    box = st.expander("Their losses, overlaid", key="compare-losses", on_change="rerun")
    if box.open:
        with box:
            _overlay(first, second, names)
            _bars(first, second)


def _overlay(first: Run, second: Run, names: Sequence[str]) -> None:
    """What is to be forgotten, and what was never seen, after unlearning."""
    assert first.after is not None
    assert second.after is not None
    losses = [x for e in (first.after, second.after) for x in (e.forget_losses, e.test_losses)]
    top = top_share(*losses)
    left, right = st.columns(2)
    for place, name, color, attribute in (
        (left, "Images to forget", palette.FORGET, "forget_losses"),
        (right, "Test images (never seen)", palette.TEST, "test_losses"),
    ):
        a, b = getattr(first.after, attribute), getattr(second.after, attribute)
        shared = numbers.percent(overlap(a, b))
        text = f"{name}: the two runs' losses after unlearning overlap by {shared}."
        with place:
            st.markdown(f"##### {name}, after unlearning")
            chart = overlaid((names[0], a), (names[1], b), color, top, text)
            draw(chart, f"overlaid-{attribute}")
            st.markdown(text)


def _bars(first: Run, second: Run) -> None:
    """The charts' bars as a table, one row a bin."""
    assert first.after is not None
    assert second.after is not None
    shares = {
        "A: forget": density(first.after.forget_losses),
        "B: forget": density(second.after.forget_losses),
        "A: test": density(first.after.test_losses),
        "B: test": density(second.after.test_losses),
    }
    loss_from = {"loss from": BINS[:-1].round(6)}
    table(loss_from | shares, "The bars of both runs", percents=shares)
