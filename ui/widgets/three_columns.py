"""Before, after and retrained side by side: histograms, numbers, and the bars as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from core.data.requests import ForgetRequest
from core.metrics.histogram import BINS, density, overlap
from core.metrics.measures import Losses, Measure
from ui.charts import histograms
from ui.charts.palette import HEIGHT
from ui.widgets.columns import Column, losses_of
from ui.widgets.figures import table
from ui.wording import numbers, terms
from ui.wording.attack import fair_metric

NO_BREAK = "&nbsp;"
NOT_MEASURED = ("not measured", "Not measured.")
NO_IDEAL = (
    "none",
    "No model was retrained without exactly these images. Start the method *Retrain* on the same "
    "choice to make one; it takes longest of all.",
)


def three_columns(
    columns: Mapping[str, Column],
    request: ForgetRequest,
    key: str,
    missing: Mapping[str, tuple[str, str]] | None = None,
    top: float | None = None,
) -> None:
    """Before, after and retrained side by side: loss histogram and numbers.

    missing: what to say in place of a number and of a chart that a model lacks. top: a fixed end
    of the y axes, if that of the numbers shown will not do.
    """
    fullest = histograms.top_share(*losses_of(columns)) if top is None else top
    ideal = columns["retrained"]
    for place, (model, column) in zip(st.columns(3), columns.items(), strict=True):
        with place:
            st.markdown(f"##### {terms.COLUMNS[model]}")
            short, said = (missing or {}).get(model, NOT_MEASURED)
            _picture(model, column, fullest, said, f"{key}-{model}")
            _numbers(model, column, ideal, request, short)


def _picture(model: str, column: Column, top: float, said: str, key: str) -> None:
    if column.forget_losses is None or column.test_losses is None:
        with st.container(border=True, height=HEIGHT + 40):
            st.caption(said)
        return
    forget, test = np.median(column.forget_losses), np.median(column.test_losses)
    text = (
        f"Loss histograms, {terms.SHORT[model].lower()}: median loss {numbers.loss(forget)} on "
        f"images to forget and {numbers.loss(test)} on test images"
        f"{' of the same classes' if column.matched else ''}"
    )
    spec = _histogram(column.forget_losses, column.test_losses, top, text, column.matched)
    st.vega_lite_chart(spec, alt=text, key=key)
    shared = overlap(column.forget_losses, column.test_losses)
    st.caption(f"The two shapes overlap by {numbers.percent(shared)}.")


@st.cache_data(show_spinner=False, max_entries=64)
def _histogram(
    forget: Losses, test: Losses, top: float, description: str, matched: bool
) -> dict[str, Any]:
    """The chart's Vega-Lite: made once, however many ticks of a live view show it."""
    spec: dict[str, Any] = histograms.histogram(forget, test, top, description, matched).to_dict()
    del spec["description"]
    return spec


def _numbers(model: str, column: Column, ideal: Column, request: ForgetRequest, said: str) -> None:
    fair = request.class_matched
    label, help = (terms.SPY_FAIR, terms.SPY_FAIR_HELP) if fair else (terms.SPY, terms.SPY_HELP)
    _number(fair_metric(request), label, column.spy, ideal.spy, model, said, help, pairs=True)
    _number(
        "forget_accuracy", terms.FORGET, column.forget, ideal.forget, model, said, terms.FORGET_HELP
    )
    _number(
        "retained_test_accuracy", terms.USEFUL, column.useful, ideal.useful, model, said,
        terms.USEFUL_HELP,
    )  # fmt: skip
    if fair:
        at_the_end = "at the end" if column.rough else said
        _number(
            "mia", terms.SPY_PLAIN, column.spy_plain, ideal.spy_plain, model, at_the_end,
            terms.SPY_PLAIN_HELP, pairs=True,
        )  # fmt: skip


def _number(
    metric: str,
    label: str,
    measure: Measure | None,
    ideal: Measure | None,
    model: str,
    said: str,
    help: str,
    pairs: bool = False,
) -> None:
    """A number, its distance to the ideal's, its term and interval.

    The same lines in all three columns, whatever is known: else the columns' rows part company.
    """
    gap = None
    if ideal is not None and numbers.known(ideal):
        gap = "distance not known"
        if model == "retrained":
            gap = "the ideal"
        elif measure is not None and numbers.known(measure):
            gap = f"{numbers.points(measure.value - ideal.value)} from the ideal"
    st.metric(
        label, numbers.value(measure, said), gap, delta_color="off", delta_arrow="off", help=help
    )
    st.caption(f"{terms.term(metric)}  \n{numbers.interval(measure, pairs) or NO_BREAK}")


def bars(columns: Mapping[str, Column]) -> None:
    """The histograms' bars as a table, one row a bin; models without a histogram are left out."""
    rows: dict[str, Any] = {"loss from": BINS[:-1].round(6), "to": BINS[1:].round(6)}
    shares: dict[str, Any] = {}
    for model, column in columns.items():
        for images, losses in (("forget", column.forget_losses), ("test", column.test_losses)):
            if losses is not None:
                shares[f"{terms.SHORT[model]}: {images}"] = density(losses)
    table(rows | shares, "The bars of the histograms", percents=shares)
