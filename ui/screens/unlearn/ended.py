"""A run that has ended: its result, or why there is none, and the way on."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.errors import LabError
from core.runs.job import Job
from core.runs.plan import Plan
from core.runs.run import Run
from ui import outside
from ui.screens.unlearn import together
from ui.screens.unlearn.be_the_spy import be_the_spy
from ui.screens.unlearn.cheats import cheats
from ui.screens.unlearn.kept import kept_of
from ui.screens.unlearn.replay import can_be_replayed, replay
from ui.screens.unlearn.spies import spies
from ui.services import jobs, methods
from ui.state import drafts
from ui.state.session import session
from ui.widgets.data import data_title
from ui.widgets.errors import say
from ui.widgets.frame import CHOOSE, COMPARE, INSIDE, ROBUSTNESS
from ui.widgets.result import behind, verdict
from ui.widgets.sharing import delete_button
from ui.widgets.take_home import exports
from ui.wording import numbers
from ui.wording.cheats import CHEATS, note

REPLAY = "Replay, step by step"


def leave_run() -> None:
    """Back to the set-up, with the photos of the run; of a cheat not with it."""
    session.run = None
    if drafts.draft().method in CHEATS:
        drafts.change(method="fine_tune", settings={})


def ended(job: Job) -> None:
    """Whatever there is to show of a job that has ended."""
    together.go_on(job.id)
    if job.unsaved:
        _unsaved(job)
    together.way_on(job.id)
    if job.run is None or job.state == "failed":
        _failed(job)
    else:
        _finished(job.run, saved=not job.unsaved)


def _unsaved(job: Job) -> None:
    """Why a run is in this server's memory only, and a button that tries to save it again."""
    st.warning(
        f"This run could not be saved, so it has no link yet. {job.unsaved}", icon=":material/save:"
    )
    if st.button("Save again", key="save-again", type="primary"):
        try:
            jobs.save_again(job.id)
        except LabError as error:
            say(error)
        else:
            st.rerun()


def _finished(run: Run, saved: bool) -> None:
    """The verdict, the way on, what to take along, and what stands behind it."""
    st.markdown(
        f"**{outside.plain(methods.label(run.plan.method))}** was told to forget "
        f"{outside.plain(run.plan.request.describe())} and took "
        f"{numbers.duration(run.seconds.get('unlearning'))}."
    )
    if run.error:
        st.info(outside.plain(run.error), icon=":material/info:")
    if text := note(run.plan.method):
        st.info(text, icon=":material/theater_comedy:")
    key = f"result-{run.id}"
    verdict(run, key)
    with st.container(horizontal=True):
        st.button(
            "Same photos, another method",
            key="new-run",
            type="primary",
            on_click=leave_run,
            icon=":material/replay:",
        )
        if st.button("Compare it with other runs", key="to-compare", icon=":material/compare:"):
            session.compare = [run.id]
            st.switch_page(COMPARE)
        if st.button("Look inside", key="to-inside", icon=":material/neurology:"):
            st.switch_page(INSIDE)
        if st.button("What it withstands", key="to-robustness", icon=":material/shield:"):
            st.switch_page(ROBUSTNESS)
        delete_button(run.id)
    exports(run, saved, f"export-{run.id}")
    kept = {"first": REPLAY} if kept_of(run.id) else {}
    behind(run, key, lambda: cheats(run), _views(run), **kept)
    source = run.data.get("source") or data_title(run.plan.dataset)
    st.caption(f"Data: {outside.plain(source)}")


def _views(run: Run) -> dict[str, Callable[[], None]]:
    """What this screen offers beside the plain spy."""
    views: dict[str, Callable[[], None]] = {}
    if run.after is not None:
        views["Every spy, every threshold"] = lambda: spies(run)
        views["Be the spy"] = lambda: be_the_spy(run)
    if can_be_replayed(run):
        views[REPLAY] = lambda: replay(run)
    return views


def _failed(job: Job) -> None:
    """What happened, and the way on."""
    text = outside.plain(job.error or "This run failed.")
    if text.startswith("Stopped"):
        st.warning(text, icon=":material/front_hand:")
    else:
        st.error(text, icon=":material/error:")
    with st.container(horizontal=True):
        _start_again(job.plan, "Set it up again")
        if job.plan.dataset != "digits" and st.button("Use digits instead", key="use-digits"):
            drafts.choose("digits", None)
            st.switch_page(CHOOSE)


def _start_again(plan: Plan, label: str) -> None:
    """A button that brings a run's plan back to the set-up."""
    if st.button(label, key="set-up-again", icon=":material/replay:"):
        drafts.take_up(plan)
        leave_run()
        st.rerun()
