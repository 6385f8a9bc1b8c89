"""Which run is looked into; else what is missing, and the way on."""

from __future__ import annotations

import streamlit as st

from core.errors import LabError
from core.runs.job import Job
from core.runs.run import Run
from ui import outside
from ui.links import Draft
from ui.services import jobs, methods, runs
from ui.state import address
from ui.state.session import session
from ui.widgets.data import data_title
from ui.widgets.errors import say
from ui.widgets.frame import CHOOSE, UNLEARN
from ui.wording import titles

OFFERED = 20
"""Of the newest runs."""


def run_or_stop() -> Run:
    """The run on screen, once it has ended with a measurement; else says why not, and stops."""
    if session.run is None:
        address.write()
        _none()
    try:
        job = jobs.job(session.run, session.owner)
    except LabError as error:
        address.write()
        say(error)
        _others()
        st.stop()
    session.draft = Draft.of_plan(job.plan)
    address.write(run=session.run)
    if job.alive:
        _under_way(job)
    run = job.run
    if run is None or run.after is None:
        _failed(job)
    assert run is not None
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**{outside.plain(methods.label(run.plan.method))}** was told to forget "
            f"{outside.plain(run.plan.request.describe())} of "
            f"{outside.plain(data_title(run.plan.dataset))}."
        )
        _go("Its verdict", "to-verdict", ":material/gavel:")
        st.button("Another run", key="another", on_click=_leave, icon=":material/swap_horiz:")
    return run


def _leave() -> None:
    session.run = None


def _go(label: str, key: str, icon: str) -> None:
    """A button to the page of the run itself."""
    if st.button(label, key=key, icon=icon):
        st.switch_page(UNLEARN)


def _none() -> None:
    st.markdown(
        "A network can stop *saying* what it still *knows*. Here one looks past its answers: at "
        "what each depth of the network still makes of the photos it was told to forget, beside "
        "the network before and one that never saw them."
    )
    if not _others():
        st.info("No run has finished yet, so there is nothing to see.", icon=":material/info:")
        if st.button("Choose what to forget", type="primary", key="to-choose"):
            st.switch_page(CHOOSE)
    st.stop()


def _others() -> bool:
    """Offers the newest runs; False where there are none."""
    try:
        summaries = runs.summaries(session.owner, OFFERED)
    except LabError as error:
        say(error)
        return True
    if not summaries:
        return False
    names = {s.id: titles.plan_title(s.plan) for s in summaries}
    chosen = st.selectbox(
        "A finished run",
        list(names),
        format_func=lambda id: outside.plain(names[id]),
        key="inside-which",
    )
    if st.button("Look inside", key="look", type="primary", icon=":material/neurology:"):
        session.run = chosen
        st.rerun()
    return True


def _under_way(job: Job) -> None:
    jobs.watch(job.id)
    st.info(
        "This run is not done yet: one can look inside once it has been measured.",
        icon=":material/hourglass_top:",
    )
    _go("Watch it forget", "to-run", ":material/visibility:")
    st.stop()


def _failed(job: Job) -> None:
    st.warning(
        f"{outside.plain(job.error or 'This run failed.')} It left no network to look into.",
        icon=":material/error:",
    )
    _go("Go to the run", "to-run", ":material/visibility:")
    _others()
    st.stop()
