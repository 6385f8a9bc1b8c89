"""Which finished run a screen is about; else what is missing, and the way on."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from core.errors import LabError
from core.runs.job import Job
from core.runs.run import Run
from ui import outside
from ui.links import Draft
from ui.services import jobs, methods, runs
from ui.state import address, drafts
from ui.state.session import session
from ui.widgets.data import data_title
from ui.widgets.errors import say
from ui.widgets.frame import CHOOSE, UNLEARN
from ui.wording import numbers, titles

OFFERED = 20
"""Of the newest runs."""


@dataclass(frozen=True)
class Screen:
    """What a screen says of the run that it is about. name: in the keys of its widgets.
    introduction: where no run is chosen. button, icon: takes the chosen run. not_yet: of one under
    way. nothing: of one that failed. again: why a run whose network is gone is worth another."""

    name: str
    introduction: str
    button: str
    icon: str
    not_yet: str
    nothing: str
    again: str


def run_or_stop(screen: Screen) -> Run:
    """The run on screen, once it has ended with a measurement; else says why not, and stops."""
    if session.run is None:
        address.write()
        _none(screen)
    try:
        job = jobs.job(session.run, session.owner)
    except LabError as error:
        address.write()
        say(error)
        _others(screen)
        st.stop()
    session.draft = Draft.of_plan(job.plan)
    address.write(run=session.run)
    if job.alive:
        _under_way(job, screen)
    run = job.run
    if run is None or run.after is None:
        _failed(job, screen)
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


def not_kept(run: Run, error: LabError, screen: Screen) -> None:
    """Of a run whose network is gone: what would bring it back."""
    again = numbers.duration(run.seconds.get("unlearning"))
    st.info(
        f"{outside.plain(error.message)} Only the newest networks stay on a machine, and none "
        f"comes with the runs that are shipped. Run it again (it took {again}, measuring not "
        f"counted), and {screen.again}.",
        icon=":material/visibility_off:",
    )
    if st.button("Set it up again", key="set-up-again", type="primary"):
        drafts.take_up(run.plan)
        st.switch_page(UNLEARN)


def _leave() -> None:
    session.run = None


def _go(label: str, key: str, icon: str) -> None:
    """A button to the page of the run itself."""
    if st.button(label, key=key, icon=icon):
        st.switch_page(UNLEARN)


def _none(screen: Screen) -> None:
    st.markdown(screen.introduction)
    if not _others(screen):
        st.info("No run has finished yet, so there is nothing to see.", icon=":material/info:")
        if st.button("Choose what to forget", type="primary", key="to-choose"):
            st.switch_page(CHOOSE)
    st.stop()


def _others(screen: Screen) -> bool:
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
        key=f"{screen.name}-which",
    )
    if st.button(screen.button, key="look", type="primary", icon=screen.icon):
        session.run = chosen
        st.rerun()
    return True


def _under_way(job: Job, screen: Screen) -> None:
    jobs.watch(job.id)
    st.info(f"This run is not done yet: {screen.not_yet}.", icon=":material/hourglass_top:")
    _go("Watch it forget", "to-run", ":material/visibility:")
    st.stop()


def _failed(job: Job, screen: Screen) -> None:
    st.warning(
        f"{outside.plain(job.error or 'This run failed.')} {screen.nothing}",
        icon=":material/error:",
    )
    _go("Go to the run", "to-run", ":material/visibility:")
    _others(screen)
    st.stop()
