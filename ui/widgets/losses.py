"""How surprised a network is by forgotten and by new photos: one histogram, whose network is a
switch away; and the same as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from core.data.requests import ForgetRequest
from core.metrics.histogram import BINS, density, overlap
from core.metrics.measures import Evaluation, Losses
from core.runs.run import MODELS, Run
from ui.charts import histograms
from ui.widgets.figures import draw, table
from ui.wording import attack, terms

SWITCH = {"before": "Before", "after": "Now", "retrained": "Ideal"}


@dataclass(frozen=True)
class Shown:
    """Of one network: its losses on the photos to forget and on new ones, float32 (n,). matched:
    whether the new ones are of the same classes."""

    forget: Losses
    test: Losses
    matched: bool = False

    @property
    def overlap(self) -> float:
        """How much of the two shapes is the same, 0 to 1."""
        return overlap(self.forget, self.test)


def of_evaluation(evaluation: Evaluation, request: ForgetRequest, fair: bool = True) -> Shown:
    """fair: new photos that suit the request; False: of every class."""
    matched = request.class_matched and fair
    new = evaluation.class_matched_losses if matched else evaluation.test_losses
    return Shown(evaluation.forget_losses, new, matched)


def of_run(run: Run, fair: bool = True) -> dict[str, Shown]:
    """The networks of a run that were measured, by model."""
    return {
        model: of_evaluation(evaluation, run.plan.request, fair)
        for model in MODELS
        if (evaluation := getattr(run, model)) is not None
    }


def histogram(found: Mapping[str, Shown], key: str, also: Sequence[Losses] = ()) -> None:
    """The switch, the histogram of the network taken, and what the shapes say. also: losses that
    the y axis is to hold as well, so that bars do not jump."""
    if not found:
        return
    names = list(found)
    start = "after" if "after" in found else names[0]
    model = (
        st.segmented_control(
            "Whose losses",
            names,
            default=start,
            required=True,
            format_func=SWITCH.get,
            key=f"{key}-whose",
        )
        if len(names) > 1
        else start
    )
    if model not in found:
        model = start
    shown = found[model]
    top = histograms.top_share(
        *also, *(x for each in found.values() for x in (each.forget, each.test))
    )
    text = f"{SWITCH[model]}: {attack.shapes(shown.overlap)}"
    draw(_histogram(shown.forget, shown.test, top, text, shown.matched), f"{key}-losses")
    if "before" in found and "after" in found:
        ideal = found["retrained"].overlap if "retrained" in found else None
        said = attack.histogram_takeaway(found["before"].overlap, found["after"].overlap, ideal)
        st.markdown(said)
    else:
        st.markdown(text)


@st.cache_data(show_spinner=False, max_entries=64)
def _histogram(
    forget: Losses, test: Losses, top: float, description: str, matched: bool
) -> dict[str, Any]:
    """The chart's Vega-Lite: made once, however many ticks of a live view show it."""
    return histograms.histogram(forget, test, top, description, matched).to_dict()


def bars(found: Mapping[str, Shown]) -> None:
    """The histograms' bars as a table, one row a bin."""
    rows: dict[str, Any] = {"loss from": BINS[:-1].round(6), "to": BINS[1:].round(6)}
    shares = {
        f"{terms.SHORT[model]}: {name}": density(losses)
        for model, shown in found.items()
        for name, losses in (("forget", shown.forget), ("test", shown.test))
    }
    table(rows | shares, "The bars of the histograms", percents=shares)
