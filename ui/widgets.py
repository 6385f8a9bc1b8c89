"""Pieces that several screens show: the three columns of a run, the verdict, exports, the data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from core.data.requests import ForgetRequest
from core.errors import LabError, StoreCorrupt, short
from core.metrics.histogram import BINS, density, overlap
from core.metrics.measures import Evaluation, Losses, Measure, wilson
from core.runs.run import MODELS, Probe, Run
from ui import charts, lab, links, outside, report, state, wording
from ui import story as story_of

if TYPE_CHECKING:
    from core.runs.job import Job

CHOOSE, UNLEARN, COMPARE = "pages/1_Choose.py", "pages/2_Unlearn.py", "pages/3_Compare.py"
METHODS = "pages/4_Methods.py"


UNSCORED = Measure(math.nan, 0.0, 1.0, 0)
"""An attack on too few images."""
NO_BREAK = "&nbsp;"
NOT_MEASURED = ("not measured", "Not measured.")
NO_IDEAL = (
    "none",
    "No model was retrained without exactly these images. Start the method *Retrain* on the same "
    "choice to make one; it takes longest of all.",
)


@dataclass(frozen=True)
class Column:
    """One model's numbers as the three columns show them; None is not measured (yet).

    spy: the attack that is fair for the request; spy_plain: against test images of every class,
    where that is another one. matched: whether test_losses are of the forgotten images' classes.
    rough: measured on samples on the way, not on all images.
    """

    forget_losses: Losses | None = field(default=None, repr=False)
    test_losses: Losses | None = field(default=None, repr=False)
    matched: bool = False
    spy: Measure | None = None
    spy_plain: Measure | None = None
    forget: Measure | None = None
    useful: Measure | None = None
    rough: bool = False

    @classmethod
    def of(cls, evaluation: Evaluation | None, request: ForgetRequest, fair: bool = True) -> Column:
        """From a full evaluation; empty for None. fair: show test images that suit the request;
        False shows all of them."""
        if evaluation is None:
            return cls()
        matched = request.class_matched and fair
        return cls(
            evaluation.forget_losses,
            evaluation.class_matched_losses if matched else evaluation.test_losses,
            matched,
            wording.fair_spy(evaluation, request) or UNSCORED,
            evaluation.mia or UNSCORED,
            evaluation.forget_accuracy,
            evaluation.retained_test_accuracy,
        )

    @classmethod
    def of_probe(cls, probe: Probe | None) -> Column:
        """From a quick look on the way; empty for None."""
        if probe is None:
            return cls(rough=True)
        n, m = len(probe.forget_losses), len(probe.test_losses)
        return cls(
            probe.forget_losses,
            probe.test_losses,
            probe.matched,
            UNSCORED if probe.mia is None else wilson(probe.mia * min(n, m), min(n, m)),
            None,
            wilson(probe.forget_accuracy * n, n),
            wilson(probe.test_accuracy * m, m),
            rough=True,
        )


def columns_of(run: Run, fair: bool = True) -> dict[str, Column]:
    """The three columns of a finished run."""
    return {model: Column.of(getattr(run, model), run.plan.request, fair) for model in MODELS}


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
    fullest = charts.top_share(*losses_of(columns)) if top is None else top
    ideal = columns["retrained"]
    for place, (model, column) in zip(st.columns(3), columns.items(), strict=True):
        with place:
            st.markdown(f"##### {wording.COLUMNS[model]}")
            short, said = (missing or {}).get(model, NOT_MEASURED)
            _picture(model, column, fullest, said, f"{key}-{model}")
            _numbers(model, column, ideal, request, short)


def _picture(model: str, column: Column, top: float, said: str, key: str) -> None:
    if column.forget_losses is None or column.test_losses is None:
        with st.container(border=True, height=charts.HEIGHT + 40):
            st.caption(said)
        return
    forget, test = np.median(column.forget_losses), np.median(column.test_losses)
    text = (
        f"Loss histograms, {wording.SHORT[model].lower()}: median loss {wording.loss(forget)} on "
        f"images to forget and {wording.loss(test)} on test images"
        f"{' of the same classes' if column.matched else ''}"
    )
    spec = _histogram(column.forget_losses, column.test_losses, top, text, column.matched)
    st.vega_lite_chart(spec, alt=text, key=key)
    shared = overlap(column.forget_losses, column.test_losses)
    st.caption(f"The two shapes overlap by {wording.percent(shared)}.")


@st.cache_data(show_spinner=False, max_entries=64)
def _histogram(
    forget: Losses, test: Losses, top: float, description: str, matched: bool
) -> dict[str, Any]:
    """The chart's Vega-Lite: made once, however many ticks of a live view show it."""
    spec: dict[str, Any] = charts.histogram(forget, test, top, description, matched).to_dict()
    del spec["description"]
    return spec


def draw(chart: alt.Chart | alt.LayerChart, key: str) -> None:
    """Shows a chart; its description becomes what a screen reader calls it."""
    named = chart.copy(deep=False)
    named.description = alt.Undefined
    st.altair_chart(named, alt=chart.description, key=key)


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


def _numbers(model: str, column: Column, ideal: Column, request: ForgetRequest, said: str) -> None:
    fair = request.class_matched
    label, help = (
        (wording.SPY_FAIR, wording.SPY_FAIR_HELP) if fair else (wording.SPY, wording.SPY_HELP)
    )
    _number(label, column.spy, ideal.spy, model, said, help, pairs=True)
    _number(wording.FORGET, column.forget, ideal.forget, model, said, wording.FORGET_HELP)
    _number(wording.USEFUL, column.useful, ideal.useful, model, said, wording.USEFUL_HELP)
    if fair:
        _number(
            wording.SPY_PLAIN,
            column.spy_plain,
            ideal.spy_plain,
            model,
            "at the end" if column.rough else said,
            wording.SPY_PLAIN_HELP,
            pairs=True,
        )


def _number(
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
    if ideal is not None and wording.known(ideal):
        gap = "distance not known"
        if model == "retrained":
            gap = "the ideal"
        elif measure is not None and wording.known(measure):
            gap = f"{wording.points(measure.value - ideal.value)} from the ideal"
    st.metric(
        label, wording.value(measure, said), gap, delta_color="off", delta_arrow="off", help=help
    )
    st.caption(f"{wording.TERMS[label]}  \n{wording.interval(measure, pairs) or NO_BREAK}")


def verdict(run: Run) -> None:
    """The sentences that the numbers of a finished run add up to."""
    if run.status == "partial":
        st.info(
            f"This run was stopped after step {run.steps_done:,} of {run.total_steps:,}. "
            "The numbers are of the model as it was then.",
            icon=":material/front_hand:",
        )
    st.markdown(f"#### {wording.headline(run)}")
    if text := wording.reasons(run):
        st.markdown(text)
    if text := wording.trap(run):
        st.info(text, icon=":material/warning:")


QUESTIONS = {True: "new images of the same classes", False: "new images of every class"}


def result(run: Run, key: str) -> None:
    """Everything about a finished run that is the same wherever it is shown."""
    verdict(run)
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
    columns = columns_of(run, fair)
    shared = [
        overlap(column.forget_losses, column.test_losses)
        if column.forget_losses is not None and column.test_losses is not None
        else None
        for column in columns.values()
    ]
    if shared[0] is not None and shared[1] is not None:
        st.markdown(wording.histogram_takeaway(shared[0], shared[1], shared[2]))
        _spy_chart(run, key)
    st.caption(wording.LIMITS)
    table_twin(run, key)


def _spy_chart(run: Run, key: str) -> None:
    found = {
        model: wording.fair_spy(evaluation, run.plan.request)
        for model in MODELS
        if (evaluation := getattr(run, model)) is not None
    }
    if not any(wording.known(measure) for measure in found.values()):
        return
    parts = [f"{wording.SHORT[m].lower()} {wording.value(v)}" for m, v in found.items()]
    label = wording.SPY_FAIR if run.plan.request.class_matched else wording.SPY
    text = f"{label}, with 95 % intervals: {', '.join(parts)}."
    draw(charts.spy_scores(found, text), f"{key}-spy")
    st.markdown(f"{text} {wording.direction(found.get('after'), found.get('retrained'))}")


def table_twin(run: Run, key: str) -> None:
    """The numbers and the bars of the charts as tables, drawn when opened."""
    box = st.expander("The same as tables", key=f"{key}-tables", on_change="rerun")
    if not box.open:
        return
    with box:
        numbers = report.metrics_table(run)
        shown = numbers.assign(
            model=numbers["model"].map(wording.SHORT),
            metric=numbers["metric"].str.replace("_", " "),
        ).drop(columns="run")
        table(shown, "All numbers of this run", percents=("value", "low", "high"))
        bars(columns_of(run))


def losses_of(columns: Mapping[str, Column]) -> list[Losses]:
    """Every loss that the columns' histograms show."""
    both = [x for c in columns.values() for x in (c.forget_losses, c.test_losses)]
    return [x for x in both if x is not None]


def bars(columns: Mapping[str, Column]) -> None:
    """The histograms' bars as a table, one row a bin; models without a histogram are left out."""
    rows: dict[str, Any] = {"loss from": BINS[:-1].round(6), "to": BINS[1:].round(6)}
    shares: dict[str, Any] = {}
    for model, column in columns.items():
        for images, losses in (("forget", column.forget_losses), ("test", column.test_losses)):
            if losses is not None:
                shares[f"{wording.SHORT[model]}: {images}"] = density(losses)
    table(rows | shares, "The bars of the histograms", percents=shares)


def exports(run: Run, link: str, key: str) -> None:
    """Link ("" for a run that is not saved), tables, pictures and report; each file is made when
    it is asked for."""
    st.markdown("##### Take it with you")
    if link:
        st.code(link, language=None, wrap_lines=True)
        st.caption("This link shows the result and its settings. It starts nothing.")
    with st.container(horizontal=True):
        st.download_button(
            "Numbers (CSV)",
            lambda: report.metrics_table(run).to_csv(index=False).encode(),
            f"{run.id}-metrics.csv",
            "text/csv",
            key=f"{key}-csv",
            on_click="ignore",
            icon=":material/table:",
        )
        st.download_button(
            "Loss of every image (CSV)",
            lambda: report.losses_table(run).to_csv(index=False).encode(),
            f"{run.id}-losses.csv",
            "text/csv",
            key=f"{key}-losses",
            on_click="ignore",
            icon=":material/table_rows:",
        )
        if run.after is not None:
            st.download_button(
                "Charts (PNG)",
                lambda: report.pictures(run),
                f"{run.id}-charts.zip",
                "application/zip",
                key=f"{key}-png",
                on_click="ignore",
                icon=":material/image:",
            )
            st.download_button(
                "Report (HTML)",
                lambda: report.page(run, link, labels_now()).encode(),
                f"{run.id}.html",
                "text/html",
                key=f"{key}-html",
                on_click="ignore",
                icon=":material/description:",
            )


def story() -> None:
    """What the anchor gives back, if it was measured: the sentence, and its numbers as a table."""
    try:
        rows = story_of.rows_of(lab.SHIPPED / "story.json")
        text = story_of.finding(rows)
    except LabError as error:
        state.say(error)
        return
    if not text:
        return
    with st.container(border=True, key="story-finding"):
        st.markdown(f"##### {story_of.QUESTION}")
        st.markdown(text)
        st.caption(
            "The class automobile of CIFAR-10 was forgotten. The anchor penalises the distance to "
            "the original weights (anchored fine-tuning). Measured by benchmarks/story.py."
        )
        with st.expander("The same as a table"):
            shown = pd.DataFrame(story_of.table(rows))
            table(shown, "What the anchor and a lower rate give back", percents=shown.columns[2:])


def labels_now() -> dict[str, str]:
    """The methods' labels by name."""
    return {name: method["label"] for name, method in lab.methods().items()}


# Data


def data_note() -> None:
    """Which data the app runs on, and the way to more."""
    if lab.available("cifar10"):
        st.markdown(
            ":material/photo_library: Runs here on **CIFAR-10**: 50,000 small colour photos to "
            "train on and 10,000 to test with. Handwritten digits are there as well."
        )
    else:
        st.markdown(
            ":material/draw: Runs here on **handwritten digits**; CIFAR-10, the photos of the "
            f"result above, is not on this machine. {wording.DIGITS_NOTE}"
        )
        download_box()


def images_missing(name: str) -> None:
    """Says that the images of a choice are not here, and what helps."""
    if name in links.DATASETS:
        st.warning(
            "This choice is about CIFAR-10, and its photos are not on this machine. Get them, or "
            "make the same kind of choice on digits.",
            icon=":material/cloud_download:",
        )
        download_box()
        return
    st.warning(
        outside.plain(
            f"This choice is about {data_title(name)}, a data set of one's own, which the app does "
            "not offer. Run it again from a shell (python -m core unlearn --dataset NAME --data "
            "FOLDER), or choose on digits."
        ),
        icon=":material/folder_off:",
    )


def data_title(name: str) -> str:
    """A data set in words; one of somebody's own has its name."""
    return wording.DATASETS.get(name, short(name))


def use_digits() -> None:
    """A button that leaves for the data set that is always here."""
    if st.button("Use digits instead", key="use-digits", type="primary"):
        state.choose("digits", None)
        st.switch_page(CHOOSE)


def download_box() -> None:
    """Offers CIFAR-10: a button, then progress and a way to stop. Starts nothing by itself.

    Where a download would not be looked at, or strangers look on, it says so in its place.
    """
    if error := lab.named_folder_lacks("cifar10"):
        message = f"{error.message} FORGETTING_LAB_DATA names it, so a download is not looked at."
        st.warning(outside.plain(message), icon=":material/folder_off:")
        return
    if outside.hosted():
        st.caption("Whoever runs this server can fetch the photos: `python -m core download`.")
        return
    going = lab.download()
    st.fragment(_download_view, run_every=1.0 if going.running else None)()


def _download_view() -> None:
    going = lab.download()
    if going.running:
        share = min(1.0, going.done / going.total) if going.total else 0.0
        done = (
            f"{going.done / 1e6:.0f} of {going.total / 1e6:.0f} MB" if going.total else "starting"
        )
        st.progress(share, f"Downloading CIFAR-10: {done}")
        if st.button("Cancel the download", key="download-cancel"):
            going.cancel()
        st.session_state.downloading = True
        return
    if st.session_state.pop("downloading", False):
        st.rerun()
    if going.error:
        st.error(outside.plain(going.error), icon=":material/cloud_off:")
    if st.button(
        f"Download CIFAR-10 ({lab.DOWNLOAD_MB} MB)", key="download", icon=":material/download:"
    ):
        going.start()
        st.rerun()


# What is going on elsewhere


def service_or_stop() -> None:
    """Opens the store; where it is damaged says so and ends the page. Whoever sits at this machine
    is offered a new one, a stranger is not."""
    try:
        lab.queue()
    except StoreCorrupt as error:
        state.say(error)
        if outside.hosted():
            st.caption("Whoever runs this server can mend it: `python -m core repair`.")
        elif st.button("Put the damaged database aside and start a new one", key="set-aside"):
            try:
                lab.set_store_aside()
            except LabError as another:
                state.say(another)
            else:
                st.rerun()
        st.stop()
    except LabError as error:
        state.say(error)
        st.button("Try again", key="try-again")
        st.stop()


def data_or_stop(error: LabError) -> None:
    """Says why there are no images to work with, offers the digits, and ends the page."""
    state.say(error)
    if state.draft().dataset != "digits":
        use_digits()
    st.stop()


def link_box(label: str, said: str) -> None:
    """A link to this page's draft, made (and a long choice stored) once the box is opened."""
    box = st.expander(label, key="link-box", on_change="rerun")
    if not box.open:
        return
    with box:
        try:
            st.code(state.share_link(), language=None, wrap_lines=True)
            st.caption(said)
        except LabError as error:
            state.say(error)


def lost_runs() -> None:
    """Says which runs a crash cut short, and offers to start them again; to whoever sits at this
    machine also what became of array files that could not be read."""
    notes = lab.store().notes
    if notes and not outside.hosted():
        st.warning(outside.plain(" ".join(notes)), icon=":material/inventory_2:")
        if st.button("Dismiss", key="dismiss-notes", type="tertiary"):
            notes.clear()
            st.rerun()
    for summary in lab.lost():
        with st.container(border=True, key=f"lost-{summary.id}"):
            st.markdown(
                f":material/power_off: **{outside.plain(wording.plan_title(summary.plan))}.** "
                f"{outside.plain(summary.error)}"
            )
            with st.container(horizontal=True):
                if st.button("Set it up again", key=f"again-{summary.id}"):
                    lab.lost().remove(summary)
                    st.session_state.draft = state.Draft.of_plan(summary.plan)
                    st.session_state.run = None
                    st.switch_page(UNLEARN)
                if st.button("Dismiss", key=f"dismiss-{summary.id}", type="tertiary"):
                    lab.lost().remove(summary)
                    st.rerun()


def keep_watch(shown: str | None = None) -> None:
    """Above the page: this session's runs go on, and the way to them. shown: not this one."""
    if any(job.id != shown for job in _own_jobs()):
        st.fragment(_watch_view, run_every=2.0)(shown)


def _own_jobs() -> list[Job]:
    """The runs under way that this session has started or looked at."""
    found = []
    for id in dict.fromkeys([*st.session_state.jobs, st.session_state.run]):
        try:
            job = lab.job(id) if id else None
        except LabError:
            continue
        if job is not None and job.alive:
            found.append(job)
    return found


def _watch_view(shown: str | None) -> None:
    jobs = [job for job in _own_jobs() if job.id != shown]
    if not jobs:
        st.success("Your other run has ended.", icon=":material/flag:")
    for job in jobs:
        lab.watch(job.id)
        latest = job.latest
        if job.state == "waiting":
            st.info(f"Your run is waiting, {wording.place(lab.place(job.id) or 1)}.")
        elif latest is not None and latest.total_steps:
            share = min(1.0, latest.step / latest.total_steps)
            st.progress(share, f"Your run: step {latest.step:,} of {latest.total_steps:,}")
        else:
            st.info("Your run is starting.")
        if st.button("Go to it", key=f"go-{job.id}"):
            st.session_state.run = job.id
            st.switch_page(UNLEARN)
