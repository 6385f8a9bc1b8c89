"""The five panels: what each is about, its equation, its picture from a shipped run, and what to
take away."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.errors import LabError
from core.metrics.measures import Evaluation, Measure
from core.runs.run import Run
from core.runs.summary import RunSummary
from ui.charts.bars import named_bars
from ui.charts.histograms import histogram, top_share
from ui.screens.how import runs
from ui.services import methods, shipped
from ui.widgets.errors import say
from ui.widgets.figures import draw
from ui.widgets.frame import UNLEARN
from ui.wording import how, numbers, verdicts
from ui.wording.how import Panel

NOT_HERE = "This copy ships no finished run that shows it."
QUESTIONS = {False: "all new photos", True: "new automobiles"}


def _panel(panel: Panel, picture: Callable[[], str]) -> None:
    """A panel; `picture` draws and gives what to take away, "" where the numbers are missing."""
    st.subheader(panel.title, anchor=panel.key)
    left, right = st.columns([6, 5], gap="large")
    with left:
        st.markdown(panel.text)
        st.latex(panel.equation)
        st.caption(panel.reading)
    with right:
        said = picture()
    if said:
        st.markdown(f":material/lightbulb: {said}")
    else:
        right.caption(NOT_HERE)


def memorise() -> None:
    """Rules, and what is known by heart."""

    def picture() -> str:
        tenth, clung = runs.of_case("random"), runs.of_case("memorised")
        said = how.memorise(tenth, clung)
        values = {}
        for name, run in (("a random tenth", tenth), ("the most memorised", clung)):
            for model, who in (("before", "learned it"), ("retrained", "never saw it")):
                if run is not None and (v := run.value(model, "forget_accuracy")) is not None:
                    values[f"{name}, {who}"] = v
        if said:
            by_heart = [name for name in values if "memorised" in name]
            draw(
                named_bars(values, "Right answers", said, domain=(0, 1), pointed_out=by_heart),
                "how-memorise",
            )
        return said

    _panel(how.MEMORISE, picture)


def request() -> None:
    """The ideal, and a way to it."""

    def picture() -> str:
        tenth = runs.of_case("random")
        label = "" if tenth is None else methods.label(tenth.plan.method)
        said = how.request(tenth, label, runs.measured())
        if tenth is not None and said:
            names = {"before": "before", "after": f"after {label}", "retrained": "the ideal"}
            _bars_of(tenth, "forget_accuracy", names, "Right on the tenth to forget", said)
        return said

    _panel(how.REQUEST, picture)


def shortcut() -> None:
    """A trick beside the methods."""

    def picture() -> str:
        rows = [row for row in runs.measured() if row["case"] == "class:automobile"]
        said = how.shortcut(rows)
        if said:
            real = [row for row in rows if not row["control"] and row["method"] != "retrain"]
            real.sort(key=lambda row: row["gap"])
            shown = {
                row["control"] or "retrained once more": row["gap"]
                for row in rows
                if row["method"] in ("mask", "retrain")
            }
            shown |= {
                f"{word} method": row["gap"]
                for word, row in (("nearest", real[0]), ("middle", real[len(real) // 2]))
            }
            title = "Distance to the ideal (points)"
            masked = [name for name in shown if name.startswith("masking")]
            draw(named_bars(shown, title, said, "{:.2f}", pointed_out=masked), "how-shortcut")
        return said

    _panel(how.SHORTCUT, picture)


def spy() -> None:
    """The question flipped, on the network that never saw the class."""

    def picture() -> str:
        run = _whole(runs.of_case("class"))
        ideal = run.retrained if run is not None else None
        plain, fair = _scores(ideal)
        if ideal is None or not (numbers.known(plain) and numbers.known(fair)):
            return ""
        asked = st.segmented_control(
            "The spy tells automobiles from",
            list(QUESTIONS),
            default=False,
            required=True,
            format_func=QUESTIONS.get,
            key="how-question",
        )
        other = ideal.class_matched_losses if asked else ideal.test_losses
        said = how.spy(plain, fair, asked)
        score = fair if asked else plain
        st.metric("Spy's score on a network that never saw one", numbers.percent(score.value))
        top = top_share(ideal.forget_losses, ideal.test_losses, ideal.class_matched_losses)
        draw(histogram(ideal.forget_losses, other, top, said, asked), "how-spy")
        return said

    _panel(how.SPY, picture)


def inside() -> None:
    """What a fresh last layer finds; the verdict on the run."""

    def picture() -> str:
        summary = runs.of_case("class")
        said = how.inside(summary)
        if summary is None or not said:
            return ""
        label = methods.label(summary.plan.method)
        names = {"before": "before", "after": f"after {label}", "retrained": "the ideal"}
        _bars_of(summary, "re_head", names, "Excess inside", said, ("after",))
        run = _whole(summary)
        if run is not None:
            said += f" The verdict on this run: *{verdicts.headline(run)}*"
        return said

    _panel(how.INSIDE, picture)
    if (summary := runs.of_case("class")) is not None:
        st.page_link(
            UNLEARN,
            label="Open this run, with all its spies",
            icon=":material/open_in_new:",
            query_params={"run": summary.id},
        )


def _bars_of(
    run: RunSummary,
    metric: str,
    names: dict[str, str],
    title: str,
    said: str,
    pointed_out: tuple[str, ...] = (),
) -> None:
    """One metric of the three models of a run."""
    found = {m: v for m in names if (v := run.value(m, metric)) is not None}
    values = {names[m]: v for m, v in found.items()}
    out = [names[m] for m in pointed_out]
    draw(named_bars(values, title, said, pointed_out=out), f"how-{metric}")


def _whole(summary: RunSummary | None) -> Run | None:
    """The run with its losses; None where it cannot be read, which is said."""
    if summary is None:
        return None
    try:
        return shipped.run(summary.id)
    except LabError as error:
        say(error)
        return None


def _scores(ideal: Evaluation | None) -> tuple[Measure | None, Measure | None]:
    """Against all new photos, and against those of the same class."""
    if ideal is None:
        return None, None
    return ideal["mia"], ideal["mia_class_matched"]
