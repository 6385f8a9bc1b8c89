"""A run under way: its phases with their times, what is known of it so far, and the button that
stops it."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.errors import LabError
from core.metrics.measures import Evaluation
from core.runs.job import PHASES, Job, Phase
from core.runs.plan import Plan
from core.runs.run import Run, Snapshot
from ui import outside
from ui.charts import over_steps
from ui.screens.unlearn import together
from ui.screens.unlearn.moment import Way, moment, photos, scrubber
from ui.services import estimates, jobs, methods, runs
from ui.state import values
from ui.state.session import session
from ui.widgets import losses
from ui.widgets.data import data_title
from ui.widgets.errors import say
from ui.widgets.figures import draw, table
from ui.widgets.stamp import stamp, the_strip
from ui.wording import live, strip, verdicts

TICK = 0.5


def follow(job: Job) -> None:
    """What is being done, and the view that ticks until it has ended."""
    st.fragment(_tick, run_every=TICK)(job.id)


def _tick(id: str) -> None:
    """One tick: where the job is, and what is known so far. Ends the page's ticking with it."""
    job = jobs.job(id, session.owner)
    if not job.alive:
        st.rerun()
    jobs.watch(id)
    values.put(together.FOLLOWED, id)
    position = jobs.queue_position(id)
    left, right = st.columns([2, 5], gap="large")
    with left:
        _what(job.plan)
        if position is None:
            st.info("This run goes on in another process; its result will show here.")
            return
        if job.state == "waiting":
            ahead = estimates.until_start(id, session.owner)
            st.info(live.waiting(position or 1, ahead), icon=":material/hourglass_top:")
        else:
            _phases(job)
        _stop_button(job)
        together.progress(id)
        st.caption(live.LEAVE)
        _training_loss(job.snapshots)
    with right:
        if job.state == "waiting":
            photos(job.plan, None, None, None)
        else:
            _so_far(job)


def _what(plan: Plan) -> None:
    st.markdown(
        f"**{outside.plain(methods.label(plan.method))}** forgets "
        f"{outside.plain(plan.request.describe())}, from "
        f"{outside.plain(data_title(plan.dataset))}."
    )


def _phases(job: Job) -> None:
    """Load, forget, check, with their times; and how far the one under way has come."""
    known = job.phases
    now: Phase = list(known)[-1] if known else "load"
    measured = job.run is not None and job.run.after is not None
    looked = measured and verdicts.looked_inside(job.run) if job.run else False
    lines = [
        live.phase(name, known.get(name), name == now, now == "check" and name == "check", measured,
                   looked)
        for name in PHASES
    ]  # fmt: skip
    st.markdown("  \n".join(lines))
    latest = job.latest
    if latest is None:
        st.progress(0.0, live.LOADING)
        return
    share = min(1.0, latest.step / latest.total_steps) if latest.total_steps else 0.0
    st.progress(share, live.progress(latest))


def _stop_button(job: Job) -> None:
    """Stop, for the one who started it."""
    if not jobs.owned(job.id, session.owner):
        st.caption("Somebody else started this run; only they can stop it.")
        return
    label = "Stopping…" if job.stopping else "Stop the run"
    if st.button(label, key="stop", icon=":material/stop_circle:", disabled=job.stopping):
        try:
            jobs.cancel(job.id, session.owner)
            st.toast("Stopping; what was done so far is kept.")
        except LabError as error:
            say(error)


def _so_far(job: Job) -> None:
    """The moment that the scrubber picks; from the verdict on, that where nobody looks back."""
    run, snapshots = job.run, job.snapshots
    before, ideal = _known_models(job.plan, run)
    total = snapshots[-1].total_steps if snapshots else 0
    way = Way(job.id, job.plan, snapshots, total, before, ideal)
    step = scrubber(way, f"live-{job.id}", under_way=True)
    if run is not None and run.after is not None and step == total:
        _first_verdict(run, way)
        return
    moment(way, step, f"live-{job.id}")


def _first_verdict(run: Run, way: Way) -> None:
    """The verdict so far: of what its answers show, then of the look inside; what needs the images
    to keep comes last."""
    stamp(run)
    looked = verdicts.looked_inside(run)
    rows = strip.of_run(run)
    if rows and not looked:
        rows.insert(len([r for r in rows if not r.damage]), strip.not_asked("being asked now"))
    the_strip(rows, f"live-{run.id}")
    st.caption(live.first_verdict(looked))
    first = next((s.probe for s in way.snapshots if s.step == 0 and s.probe), None)
    last = next((s.probe for s in reversed(way.snapshots) if s.probe), None)
    photos(way.plan, first, last, way.ideal)
    losses.histogram(losses.of_run(run), f"live-{run.id}")


def _training_loss(snapshots: list[Snapshot]) -> None:
    """The training loss over the steps, with its table, where somebody opens it."""
    points = [(s.step, s.training_loss) for s in snapshots if s.training_loss is not None]
    if len(points) < 2:
        return
    box = st.expander("Training loss", key="live-training-loss", on_change="rerun")
    if not box.open:
        return
    keep = np.unique(np.linspace(0, len(points) - 1, min(300, len(points))).astype(int))
    steps = [points[i][0] for i in keep]
    values = [float(points[i][1]) for i in keep]
    text = f"Training loss: {values[-1]:.3f} at step {steps[-1]:,}, {values[0]:.3f} at the start"
    with box:
        total = snapshots[-1].total_steps
        draw(over_steps.line(steps, values, total, "Training loss", text), "live-loss")
        st.caption(f"{text}.")
        table({"step": steps, "training loss": values}, "Training loss", height=150)


def _known_models(plan: Plan, run: Run | None) -> tuple[Evaluation | None, Evaluation | None]:
    """Before and retrained, from this run once it has them, until then from an earlier one."""
    if run is not None and run.before is not None:
        return run.before, run.retrained
    return runs.references(plan, session.owner)
