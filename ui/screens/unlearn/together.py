"""Several methods queued on the same photos in one press: which, how far they are, and the way on
to all of them side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from core.errors import LabError
from core.runs.job import Job
from core.runs.plan import Plan
from ui import outside
from ui.links import Draft
from ui.services import estimates, hosting, images, jobs, methods
from ui.state import values
from ui.state.session import session
from ui.widgets.frame import COMPARE
from ui.wording import together as words

PICKED = "unlearn-also"
FOLLOWED = "unlearn-followed"
MOST = 5
"""Further methods: with the first as many as the page that compares takes."""


def further(method: dict[str, Any], now: Draft) -> list[Plan]:
    """The choice of further methods for the same photos; gives a plan each."""
    assert now.request is not None
    whole = images.whole_classes(now.dataset, now.request)
    options = {
        name: Plan(
            methods.model_for(other, now.model), now.dataset, now.request, name, {}, now.seed
        )
        for name, other in methods.descriptions().items()
        if name != method["name"]
        and (whole or other["suits"] != "classes")
        and methods.model_for(other) == methods.model_for(method)
    }
    options = {name: plan for name, plan in options.items() if not hosting.refusal(plan)}
    values.put(PICKED, [name for name in values.get(PICKED, []) if name in options])
    taken = st.multiselect(
        words.LABEL,
        list(options),
        key=PICKED,
        max_selections=int(min(MOST, hosting.limits().waiting_each)),
        format_func=methods.label,
        help=words.HELP,
        placeholder="To compare them with each other",
        select_all=False,
    )
    return [options[name] for name in taken]


def say_how_long(plans: Sequence[Plan]) -> None:
    """How long each of several plans will take."""
    try:
        seconds = [estimates.seconds(plan, session.owner) for plan in plans]
    except LabError:
        return  # said where the settings are read
    names = [methods.label(plan.method) for plan in plans]
    st.caption(words.estimates(names, seconds, hosting.limits().run_seconds))


def progress(shown: str) -> None:
    """Those queued together with the run shown, a line each; keeps the others going."""
    queued = of(shown)
    if not queued:
        return
    lines = []
    for job in queued:
        jobs.watch(job.id)
        try:
            takes = estimates.seconds(job.plan, session.owner) if job.state == "waiting" else None
        except LabError:
            takes = None
        name = outside.plain(methods.label(job.plan.method))
        lines.append(words.line(name, job.state, job.id == shown, takes))
    going = [job for job in queued if job.alive and jobs.owned(job.id, session.owner)]
    st.markdown("On the same photos, one after another:  \n" + "  \n".join(lines))
    if len(going) > 1 and st.button("Stop all of them", key="stop-all"):
        for job in reversed(going):  # those that wait first, so that none of them starts
            jobs.cancel(job.id, session.owner)


def of(id: str) -> list[Job]:
    """The jobs that were queued together with this one, it among them; none where it was alone."""
    if id not in session.together:
        return []
    found = []
    for other in session.together:
        try:
            found.append(jobs.job(other, session.owner))
        except LabError:
            continue  # cleared or deleted meanwhile
    return found


def go_on(ended: str) -> None:
    """After the end of a run that was followed: to the next of those queued together, after the
    last to all of them side by side."""
    if values.take(FOLLOWED) != ended:
        return
    queued = of(ended)
    if under_way := [job for job in queued if job.alive]:
        session.run = min(under_way, key=lambda job: jobs.queue_position(job.id) or 0).id
        st.rerun()
    compare(queued)


def compare(queued: Sequence[Job]) -> None:
    """Opens the page that compares with those that left something to compare, where two did."""
    done = [job.id for job in queued if job.run is not None and job.run.after is not None]
    if len(done) < 2:
        return
    session.together = []
    session.compare = session.compare_default = done
    st.switch_page(COMPARE)


def way_on(id: str) -> None:
    """On a result: how far those queued together with it are, or the way to all of them."""
    queued = of(id)
    if any(job.alive for job in queued):
        progress(id)
    elif len(queued) > 1 and st.button(
        f"Compare all {len(queued)}", key="compare-all", type="primary", icon=":material/compare:"
    ):
        compare(queued)
