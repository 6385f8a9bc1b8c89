"""A finished run wherever it is shown: the verdict, and what stands behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from core.runs.photos import photos
from core.runs.run import MODELS, Run
from ui import report
from ui.services import ideals
from ui.widgets import forgotten, losses, mouths
from ui.widgets.figures import table
from ui.widgets.stamp import stamp, the_strip, twin
from ui.wording import attack, numbers, strip, terms, traps, verdicts

PLAIN = "The plain spy"
QUESTIONS = {True: "new photos of the same classes", False: "new photos of every class"}


def verdict(run: Run, key: str) -> None:
    """The stamp and the strip; under them what the strip shows."""
    if run.status == "partial":
        st.info(
            f"This run was stopped after step {run.steps_done:,} of {run.total_steps:,}: it did "
            f"not reach the other {run.total_steps - run.steps_done:,}. The numbers are of the "
            "network as it was then.",
            icon=":material/front_hand:",
        )
    stamp(run)
    if asked_one_by_one(run):
        forgotten.one_by_one(run)
        return
    rows = strip.of_run(run)
    the_strip(rows, key)
    if not rows and run.after is not None:
        st.markdown(f"{verdicts.reasons(run)} {terms.NO_AIM}".strip())


def asked_one_by_one(run: Run) -> bool:
    """Whether the photos are so few that each is the verdict by itself."""
    return verdicts.few(run) and bool(photos(run))


View = Callable[[], None]


def behind(
    run: Run,
    key: str,
    below_inside: View = lambda: None,
    views: Mapping[str, View] | None = None,
    first: str = PLAIN,
) -> None:
    """What stands behind the verdict: the photos, the look inside, the spies, all numbers.
    below_inside: draws what a screen has to add there. views: what it offers beside the plain spy,
    by the words of the switch. first: the one that is shown first."""
    one_by_one, inside = st.container(), st.container()
    if text := traps.of_folds(
        run, ideals.off(run.plan.model, run.plan.dataset, run.plan.request.kind)
    ):
        st.caption(text)
    st.fragment(_spies)(run, key, views or {}, first)
    _tables(run, key)
    st.caption(terms.LIMITS)
    # Last, for they may wait until the images are read.
    with inside:
        mouths.forgotten_or_silenced(run, key)
        below_inside()
    if not asked_one_by_one(run):
        with one_by_one:
            forgotten.one_by_one(run)


def _spies(run: Run, key: str, others: Mapping[str, View], first: str) -> None:
    """One view at a time, and only that is drawn; of a handful of photos there is no plain spy."""
    plain = run.after is not None and not asked_one_by_one(run)
    views: dict[str, View] = {PLAIN: lambda: _losses(run, key)} if plain else {}
    views |= others
    if not views:
        return
    st.subheader("What the spies see")
    if len(views) > 1:
        taken = st.segmented_control(
            "What to look at",
            list(views),
            default=first if first in views else None,
            key=f"{key}-view",
            label_visibility="collapsed",
        )
    else:
        taken = next(iter(views))
    if taken in views:
        views[taken]()


def _losses(run: Run, key: str) -> None:
    """What the plain spy sees, with the fair question and the trap where there is one."""
    fair = True
    left, right = st.columns([3, 2], gap="large")
    with right:
        if run.plan.request.class_matched:
            fair = st.radio(
                "Compare the forgotten photos with",
                list(QUESTIONS),
                format_func=QUESTIONS.get,
                key=f"{key}-question",
            )
    with left:
        losses.histogram(losses.of_run(run, fair), key)
    with right:
        st.markdown(_scores(run, fair))
        if text := traps.trap(run):
            st.info(text, icon=":material/warning:")


def _scores(run: Run, fair: bool) -> str:
    """The simple attack's score of each network, and what gives the photos away."""
    metric = attack.fair_metric(run.plan.request) if fair else "mia"
    found = {model: e[metric] for model in MODELS if (e := getattr(run, model)) is not None}
    if not any(numbers.known(measure) for measure in found.values()):
        return "There are too few photos for its score."
    parts = [f"{terms.SHORT[m].lower()} {numbers.value(v)}" for m, v in found.items()]
    return (
        "It sees one number a photo, the loss: how surprised the network is. Its score "
        f"({terms.term(metric)}): {', '.join(parts)}. "
        f"{attack.direction(found.get('after'), found.get('retrained'))}"
    )


def _tables(run: Run, key: str) -> None:
    """The strip, the numbers and the bars of the charts as tables, drawn when opened."""
    box = st.expander(
        "The same as tables, and all other numbers", key=f"{key}-tables", on_change="rerun"
    )
    if not box.open:
        return
    with box:
        st.markdown(verdicts.reasons(run))
        twin(strip.of_run(run))
        mouths.as_table(run)
        forgotten.as_table(run)
        measures = report.metrics_table(run)
        shown = measures.assign(
            model=measures["model"].map(terms.SHORT),
            metric=measures["metric"].map(terms.term),
        ).drop(columns="run")
        table(shown, "All numbers of this run", percents=("value", "low", "high"))
        st.markdown(report.glossary(measures["metric"]))
        losses.bars(losses.of_run(run))
