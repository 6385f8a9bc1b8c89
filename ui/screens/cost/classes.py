"""What a run cost each class: before, now and the ideal."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.errors import BadRequest, LabError
from core.runs.run import Run
from ui import outside
from ui.charts.costs import by_class
from ui.services import costs, images, runs
from ui.state import address, values
from ui.state.session import session
from ui.widgets.data import data_title
from ui.widgets.errors import say
from ui.widgets.figures import draw, table
from ui.wording import cost as words
from ui.wording.cost import Cost

PICKED = "cost-run"


def classes(found: Sequence[Cost], best: Cost | None) -> None:
    """The choice of a run, and its accuracy class by class."""
    names = {cost.run: cost.name for cost in found if cost.run}
    if not names:
        address.write()
        return
    st.subheader("Who paid for it")
    pick = best.run if best is not None else ""
    if values.get(PICKED) not in names or (pick and values.get("cost-best") != pick):
        values.put(PICKED, _start(names, pick))
    values.put("cost-best", pick)
    id = st.selectbox(
        "Accuracy by class of", list(names), key=PICKED,
        format_func=lambda id: outside.plain(names.get(id, id)),
    )  # fmt: skip
    address.write(run=id)
    try:
        _drawn(runs.load(id, session.owner))
    except BadRequest as error:  # an old run, or one of other images
        st.info(outside.plain(str(error)), icon=":material/info:")
    except LabError as error:
        say(error)


def _start(names: dict[str, str], pick: str) -> str:
    """At first the run that a link or another page named, then what the slider picks out."""
    if not values.has("cost-best") and session.run in names:
        return str(session.run)
    return pick if pick in names else next(iter(names))


def _drawn(run: Run) -> None:
    if not images.available(run.plan.dataset):
        st.info(
            f"Which photo is of which class is known once {data_title(run.plan.dataset)} is on "
            "this machine: the front page has the way to it.",
            icon=":material/photo_library:",
        )
        return
    found = costs.classes(run)
    text = words.classes(found)
    draw(by_class(found, text.replace("*", "")), "cost-classes")
    st.markdown(text)
    st.caption(
        "○ before · ◆ now · ┃ ideal: how often each network is right about new photos of a class."
    )
    with st.expander("The classes as a table"):
        table(words.class_table(found), "Accuracy by class", percents=("before", "now", "ideal"))
