"""The five panels: what each is about, its equation, its picture from a shipped run, and what to
take away."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from core.errors import LabError
from core.runs.run import Run
from core.runs.summary import RunSummary
from ui.charts.bars import named_bars
from ui.charts.histograms import histogram, top_share
from ui.services import methods, shipped
from ui.state.session import session
from ui.widgets.errors import say
from ui.widgets.figures import draw
from ui.widgets.frame import UNLEARN
from ui.wording import how, numbers, verdicts
from ui.wording.how import Panel

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

NOT_HERE = "This copy ships no finished run that shows it."
QUESTIONS = {False: "all new photos", True: "new automobiles"}


@contextlib.contextmanager
def _panel(panel: Panel) -> Iterator[DeltaGenerator]:
    """Text and equation on the left, where what is said in it goes as well; gives the place of the
    picture on the right."""
    st.subheader(panel.title, anchor=panel.key)
    left, right = st.columns([7, 5], gap="large")
    with left, st.container(gap="xsmall"):
        st.markdown(panel.text)
        st.latex(panel.equation)
        st.caption(panel.reading)
        yield right


def _take_away(said: str) -> None:
    """The one thing that a panel leaves, or that its numbers are not here."""
    if said:
        st.markdown(f":material/lightbulb: {said}")
    else:
        st.caption(NOT_HERE)


def memorise() -> None:
    """Rules, and what is known by heart."""
    tenth, clung = shipped.of_case("random"), shipped.of_case("memorised")
    said = how.memorise(tenth, clung)
    values = {}
    for name, run in (("a random tenth", tenth), ("the most memorised", clung)):
        for model, who in (("before", "learned it"), ("retrained", "never saw it")):
            if run is not None and (v := run.value(model, "forget_accuracy")) is not None:
                values[f"{name}, {who}"] = v
    with _panel(how.MEMORISE) as right:
        _take_away(said)
    if values:
        by_heart = [name for name in values if "memorised" in name]
        with right:
            draw(
                named_bars(values, "Right answers", said, domain=(0, 1), pointed_out=by_heart),
                "how-memorise",
            )


def request() -> None:
    """The ideal, and a way to it."""
    tenth = shipped.of_case("random")
    label = "" if tenth is None else methods.label(tenth.plan.method)
    said = how.request(tenth, label, _measured())
    with _panel(how.REQUEST) as right:
        _take_away(said)
    if tenth is not None and said:
        with right:
            _of_three(tenth, "forget_accuracy", "Right on the tenth to forget", said)


def shortcut() -> None:
    """A trick beside the methods."""
    rows = [row for row in _measured() if row["case"] == "class:automobile"]
    said = how.shortcut(rows)
    with _panel(how.SHORTCUT) as right:
        _take_away(said)
    if not said:
        return
    real = [row for row in rows if not row["control"] and row["method"] != "retrain"]
    real.sort(key=lambda row: row["gap"])
    middle = real[len(real) // 2]
    shown = {
        row["control"] or "retrained once more": row["gap"]
        for row in rows
        if row["method"] in ("mask", "retrain")
    }
    shown["the nearest method"] = real[0]["gap"]
    shown["a method in the middle"] = middle["gap"]
    masked = [name for name in shown if name.startswith("masking")]
    title = "Distance to the ideal (points)"
    with right:
        draw(named_bars(shown, title, said, "{:.2f}".format, pointed_out=masked), "how-shortcut")


def spy() -> None:
    """The question flipped, on the network that never saw the class."""
    run = _whole(shipped.of_case("class"))
    ideal = run.retrained if run is not None else None
    plain, fair = (ideal["mia"], ideal["mia_class_matched"]) if ideal else (None, None)
    with _panel(how.SPY) as right:
        if ideal is None or not (numbers.known(plain) and numbers.known(fair)):
            _take_away("")
            return
        with st.container(horizontal=True, gap="large", vertical_alignment="bottom"):
            asked = st.segmented_control(
                "The spy tells automobiles from",
                list(QUESTIONS),
                default=False,
                required=True,
                format_func=QUESTIONS.get,
                key="how-question",
            )
            score = numbers.percent((fair if asked else plain).value)
            st.metric("Its score on the network that never saw one", score, width="content")
        said = how.spy(plain, fair, asked)
        _take_away(said)
    other = ideal.class_matched_losses if asked else ideal.test_losses
    top = top_share(ideal.forget_losses, ideal.test_losses, ideal.class_matched_losses)
    with right:
        draw(histogram(ideal.forget_losses, other, top, said, asked), "how-spy")


def inside() -> None:
    """What a fresh last layer finds; the verdict on the run."""
    summary = shipped.of_case("class")
    said = how.inside(summary)
    with _panel(how.INSIDE) as right:
        if said and (run := _whole(summary)) is not None:
            said += f" The verdict: *{verdicts.headline(run)}*"
        _take_away(said)
    if summary is not None and said:
        with right:
            _of_three(summary, "re_head", "Excess inside", said, pointed_out="after")
            if st.button(
                "Open this run, with all its spies",
                key="how-open",
                icon=":material/open_in_new:",
            ):
                session.run = summary.id
                st.switch_page(UNLEARN)


def _of_three(run: RunSummary, metric: str, title: str, said: str, pointed_out: str = "") -> None:
    """One metric of the three models of a run."""
    label = methods.label(run.plan.method)
    names = {"before": "before", "after": f"after {label}", "retrained": "the ideal"}
    values = {names[m]: v for m in names if (v := run.value(m, metric)) is not None}
    chart = named_bars(values, title, said, pointed_out=[names.get(pointed_out, "")])
    draw(chart, f"how-{metric}")


def _whole(summary: RunSummary | None) -> Run | None:
    """The run with its losses; None where it cannot be read, which is said."""
    if summary is None:
        return None
    try:
        return shipped.run(summary.id)
    except LabError as error:
        say(error)
        return None


def _measured() -> Sequence[Mapping[str, Any]]:
    """The measured methods; none where they cannot be read, which is said."""
    try:
        return shipped.measured_methods()
    except LabError as error:
        say(error)
        return []
