"""A finished run wherever it is shown: the verdict, three columns, the spy's scores, tables."""

from __future__ import annotations

import streamlit as st

from core.metrics.histogram import overlap
from core.runs.run import MODELS, Run
from ui import report
from ui.charts.spy import spy_scores
from ui.services import ideals
from ui.widgets.columns import columns_of
from ui.widgets.figures import draw, table
from ui.widgets.three_columns import NO_IDEAL, bars, three_columns
from ui.wording import attack, numbers, terms, traps, verdicts

QUESTIONS = {True: "new images of the same classes", False: "new images of every class"}


def _verdict(run: Run) -> None:
    """The sentences that the numbers of a finished run add up to."""
    if run.status == "partial":
        st.info(
            f"This run was stopped after step {run.steps_done:,} of {run.total_steps:,}. "
            "The numbers are of the model as it was then.",
            icon=":material/front_hand:",
        )
    st.markdown(f"#### {verdicts.headline(run)}")
    if text := verdicts.reasons(run):
        st.markdown(text)
    if text := traps.trap(run):
        st.info(text, icon=":material/warning:")


def result(run: Run, key: str) -> None:
    """Everything about a finished run that is the same wherever it is shown."""
    _verdict(run)
    fair = True
    if run.plan.request.class_matched:
        fair = st.radio(
            "Compare the forgotten images with",
            list(QUESTIONS),
            format_func=QUESTIONS.get,
            horizontal=True,
            key=f"{key}-question",
        )
    three_columns(
        columns_of(run, fair),
        run.plan.request,
        key,
        {"retrained": NO_IDEAL},
    )
    error = ideals.off(run.plan.model, run.plan.dataset, run.plan.request.kind)
    if text := traps.of_folds(run, error):
        st.caption(text)
    columns = columns_of(run, fair)
    shared = [
        overlap(column.forget_losses, column.test_losses)
        if column.forget_losses is not None and column.test_losses is not None
        else None
        for column in columns.values()
    ]
    if shared[0] is not None and shared[1] is not None:
        st.markdown(attack.histogram_takeaway(shared[0], shared[1], shared[2]))
        _spy_chart(run, key)
    st.caption(terms.LIMITS)
    _table_twin(run, key)


def _spy_chart(run: Run, key: str) -> None:
    found = {
        model: attack.fair_spy(evaluation, run.plan.request)
        for model in MODELS
        if (evaluation := getattr(run, model)) is not None
    }
    if not any(numbers.known(measure) for measure in found.values()):
        return
    parts = [f"{terms.SHORT[m].lower()} {numbers.value(v)}" for m, v in found.items()]
    label = terms.SPY_FAIR if run.plan.request.class_matched else terms.SPY
    text = f"{label}, with 95 % intervals: {', '.join(parts)}."
    draw(spy_scores(found, text), f"{key}-spy")
    st.markdown(f"{text} {attack.direction(found.get('after'), found.get('retrained'))}")


def _table_twin(run: Run, key: str) -> None:
    """The numbers and the bars of the charts as tables, drawn when opened."""
    box = st.expander("The same as tables", key=f"{key}-tables", on_change="rerun")
    if not box.open:
        return
    with box:
        measures = report.metrics_table(run)
        shown = measures.assign(
            model=measures["model"].map(terms.SHORT),
            metric=measures["metric"].map(terms.term),
        ).drop(columns="run")
        table(shown, "All numbers of this run", percents=("value", "low", "high"))
        st.markdown(report.glossary(measures["metric"]))
        bars(columns_of(run))
