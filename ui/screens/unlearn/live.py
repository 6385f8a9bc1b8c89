"""A run under way: where it is, its numbers so far, and the button that stops it."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.errors import LabError
from core.metrics.measures import Evaluation
from core.runs.job import Job
from core.runs.plan import Plan
from core.runs.run import Run, Snapshot
from ui import outside
from ui.charts import histograms, over_steps
from ui.services import jobs, methods, runs
from ui.state.session import session
from ui.widgets.columns import Column, losses_of
from ui.widgets.data import data_title
from ui.widgets.errors import say
from ui.widgets.figures import draw, table
from ui.widgets.three_columns import NO_IDEAL, bars, three_columns
from ui.wording import attack, numbers, terms, verdicts

TICK = 0.5
MEASURING = (terms.MEASURING, "Measuring…")


def follow(job: Job) -> None:
    """What is being done, and the view that ticks until it has ended."""
    st.markdown(
        f"**{outside.plain(methods.label(job.plan.method))}** forgets "
        f"{outside.plain(job.plan.request.describe())}, from "
        f"{outside.plain(data_title(job.plan.dataset))}."
    )
    st.fragment(_tick, run_every=TICK)(job.id)
    st.caption(
        "You may leave this page: with nobody watching the run goes on for two minutes, and the "
        "address of this page brings you back to it."
    )


def _tick(id: str) -> None:
    """One tick: where the job is, and its numbers so far. Ends the page's ticking with the job."""
    job = jobs.job(id, session.owner)
    if not job.alive:
        st.rerun()
    jobs.watch(id)
    position = jobs.queue_position(id)
    if job.state == "waiting":
        st.info(
            f"Waiting: this run is {numbers.place(position or 1)}. One run computes at a time, and "
            "this one starts by itself.",
            icon=":material/hourglass_top:",
        )
        _stop_button(job)
        return
    if position is None:
        st.info("This run goes on in another process; its result will show here.")
        return
    latest = job.latest
    if latest is None:
        st.progress(0.0, "Starting: the model and the images are being loaded")
        _stop_button(job)
        return
    share = min(1.0, latest.step / latest.total_steps) if latest.total_steps else 0.0
    st.progress(share, _progress_text(latest))
    _stop_button(job)
    if job.run is not None and job.run.after is not None:
        _first_verdict(job.run)
    _show_live(job.plan, job.snapshots, job.run)


def _first_verdict(run: Run) -> None:
    """The verdict so far: of what its answers show, then of the look inside; what needs the images
    to keep comes last."""
    st.markdown(f"#### {verdicts.headline(run)}")
    st.markdown(verdicts.reasons(run))
    st.caption(
        f"{'' if verdicts.looked_inside(run) else 'It is being looked at inside. '}The images to "
        "keep are still being measured: whether it has unlearned something of them too is said "
        "when that is done."
    )


def _progress_text(latest: Snapshot) -> str:
    """ "Step 12 of 40, about 20 s left", or what is done where no step is."""
    if not latest.total_steps:
        return "Looking at the network before it forgets"
    text = f"Step {latest.step:,} of {latest.total_steps:,}"
    if latest.phase == "measuring":
        text += " done: measuring what it makes of every image"
        return (
            f"{text}, about {numbers.duration(latest.remaining)} left" if latest.remaining else text
        )
    if latest.remaining is not None:
        text += f", about {numbers.duration(latest.remaining)} left"
    return text if latest.phase == "unlearning" else f"{text} ({latest.phase})"


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


def _show_live(plan: Plan, snapshots: list[Snapshot], run: Run | None) -> None:
    """The three columns so far, and the training loss."""
    before, ideal = _known_models(plan, run)
    probes = [s for s in snapshots if s.probe is not None]
    columns = {
        "before": Column.of(before, plan.request)
        if before
        else Column.of_probe(probes[0].probe if probes and probes[0].step == 0 else None),
        "after": Column.of(run.after, plan.request)
        if run is not None and run.after is not None
        else Column.of_probe(probes[-1].probe if probes else None),
        "retrained": Column.of(ideal, plan.request),
    }
    # Over all looks so far: an axis that grew with a bar stays, so that bars do not jump.
    seen = [x for s in probes if s.probe for x in (s.probe.forget_losses, s.probe.test_losses)]
    three_columns(
        columns,
        plan.request,
        "live",
        {
            "before": MEASURING,
            "after": MEASURING,
            "retrained": NO_IDEAL if run is not None else MEASURING,
        },
        histograms.top_share(*seen, *losses_of(columns)),
    )
    if probes and probes[-1].probe is not None and not (run is not None and run.after):
        last = probes[-1].probe
        st.markdown(
            attack.so_far(columns["before"].spy, columns["after"].spy, columns["retrained"].spy)
        )
        st.caption(
            f"The middle column was measured at step {probes[-1].step:,} on a sample of "
            f"{len(last.forget_losses):,} + {len(last.test_losses):,} images; all of them are "
            "measured at the end."
        )
    _training_loss(snapshots, columns)


def _training_loss(snapshots: list[Snapshot], columns: dict[str, Column]) -> None:
    """The training loss over the steps, and the charts as tables."""
    points = [(s.step, s.training_loss) for s in snapshots if s.training_loss is not None]
    if len(points) < 2:
        return
    keep = np.unique(np.linspace(0, len(points) - 1, min(300, len(points))).astype(int))
    steps = [points[i][0] for i in keep]
    values = [float(points[i][1]) for i in keep]
    text = f"Training loss: {values[-1]:.3f} at step {steps[-1]:,}, {values[0]:.3f} at the start"
    chart = over_steps.line(steps, values, snapshots[-1].total_steps, "Training loss", text)
    draw(chart, "live-loss")
    st.caption(f"{text}. {_rolling(snapshots[-1])}")
    box = st.expander("The same as tables", key="live-tables", on_change="rerun")
    if box.open:
        with box:
            bars(columns)
            table({"step": steps, "training loss": values}, "Training loss")


def _rolling(latest: Snapshot) -> str:
    """The small sample taken this moment, labelled with its size."""
    if latest.rolling_forget is None or latest.rolling_test is None:
        return ""
    return (
        f"Right now (median loss of {len(latest.rolling_forget)} + {len(latest.rolling_test)} "
        f"images): to forget {numbers.loss(np.median(latest.rolling_forget))}, test "
        f"{numbers.loss(np.median(latest.rolling_test))}."
    )


def _known_models(plan: Plan, run: Run | None) -> tuple[Evaluation | None, Evaluation | None]:
    """Before and retrained, from this run once it has them, until then from an earlier one."""
    if run is not None:
        return run.before, run.retrained
    return runs.references(plan, session.owner)
