"""Watch it forget: pick a method, start it, follow it live, and read off whether it worked."""

import numpy as np
import streamlit as st

from core.data.requests import MOST_SEED
from core.errors import BadRequest, LabError
from core.metrics.measures import Evaluation
from core.runs.job import Job
from core.runs.plan import Plan
from core.runs.run import Run, Snapshot
from ui import charts, lab, outside, state, widgets, wording
from ui.links import Draft
from ui.settings import setting

state.setup_page("Unlearn")
widgets.service_or_stop()
widgets.keep_watch(st.session_state.run)
st.title("Watch it forget")
TICK = 0.5
MEASURING = (wording.MEASURING, "Measuring…")


def start(plan: Plan) -> None:
    """Queues a plan and makes it this session's run."""
    try:
        job = lab.submit(plan, st.session_state.owner)
    except LabError as error:
        state.say(error)
        return
    st.session_state.run = job.id
    st.session_state.jobs = [*st.session_state.jobs, job.id]
    st.rerun()


def leave_run() -> None:
    """Back to the set-up, with the settings of the run."""
    st.session_state.run = None


def pick_method() -> None:
    """Another method starts with its own settings."""
    state.change(method=st.session_state["unlearn-method"], settings={})


def pick_seed() -> None:
    """From the seed widget to the draft."""
    state.change(seed=st.session_state["unlearn-seed"])


def start_again(plan: Plan, label: str) -> None:
    """A button that brings a run's plan back to the set-up."""
    if st.button(label, key="set-up-again", icon=":material/replay:"):
        st.session_state.draft = Draft.of_plan(plan)
        st.session_state.run = None
        st.rerun()


# Set up


def set_up() -> None:
    """The request, the method and its settings, and the button that starts it."""
    widgets.lost_runs()
    now = state.draft()
    if now.request is None:
        st.info("Nothing is chosen to be forgotten yet.", icon=":material/checklist:")
        if st.button("Choose what to forget", type="primary", key="to-choose"):
            st.switch_page(widgets.CHOOSE)
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**To forget:** {outside.plain(now.request.describe())}, from "
            f"{outside.plain(widgets.data_title(now.dataset))}"
        )
        if st.button("Change", key="change-choice"):
            st.switch_page(widgets.CHOOSE)
    if now.dataset not in wording.DATASETS or not lab.available(now.dataset):
        widgets.images_missing(now.dataset)
        widgets.use_digits()
        return
    if now.dataset == "digits":
        st.caption(wording.DIGITS_NOTE)
    methods = lab.methods()
    if now.method not in methods:
        st.warning(
            outside.plain(f"There is no method {now.method!r} here, so fine-tuning is set instead.")
        )
        state.change(method="fine_tune", settings={})
        now = state.draft()
    method = methods[now.method]
    st.session_state["unlearn-method"] = now.method
    st.selectbox(
        "Method",
        list(methods),
        key="unlearn-method",
        on_change=pick_method,
        format_func=lambda name: f"{methods[name]['label']} ({methods[name]['group']})",
    )
    st.markdown(method["sentence"])
    st.caption(f"It reads {wording.needs(method['needs'])}. Source: {method['paper']}.")
    st.page_link(widgets.METHODS, label="All methods, and what they cost", icon=":material/list:")
    if lab.model_for(method) == lab.ENSEMBLE:
        st.caption(
            "It works on a model of its own, an ensemble that was trained in parts; its numbers do "
            "not compare with those of other methods."
        )
    if now.method == "anchored_fine_tune":
        widgets.story()
    try:
        values = state.settings()
    except LabError as error:
        if isinstance(error, BadRequest):
            state.say(error)
            return
        widgets.data_or_stop(error)
    with st.expander("Settings", expanded=bool(now.settings)):
        st.caption("The defaults were tuned for this kind of choice; nothing has to be changed.")
        for parameter in method["parameters"]:
            setting(parameter, values[parameter["name"]])
        st.session_state["unlearn-seed"] = min(now.seed, MOST_SEED)
        st.number_input(
            "Seed",
            0,
            MOST_SEED,
            key="unlearn-seed",
            on_change=pick_seed,
            help="The same seed, machine and settings give the same result, bit for bit.",
        )
        if now.settings and st.button("Back to the defaults", key="defaults"):
            state.change(settings={})
            st.rerun()
    fits = method["suits"] != "classes" or lab.whole_classes(now.dataset, now.request)
    if not fits:
        st.warning(
            f"{method['label']} forgets whole classes only. Take another method, or choose a whole "
            "class to forget.",
            icon=":material/category:",
        )
    if st.button(
        "Start forgetting",
        type="primary",
        key="start",
        icon=":material/play_arrow:",
        disabled=not fits,
    ):
        start(state.plan())
    widgets.link_box(
        "A link to this set-up", "Who opens it sees these settings. It starts nothing."
    )


# Live


def live(id: str) -> None:
    """One tick: where the job is, and its numbers so far. Ends the page's ticking with the job."""
    job = lab.job(id)
    if not job.alive:
        st.rerun()
    lab.watch(id)
    place = lab.place(id)
    if job.state == "waiting":
        st.info(
            f"Waiting: this run is {wording.place(place or 1)}. One run computes at a time, and "
            "this one starts by itself.",
            icon=":material/hourglass_top:",
        )
        stop_button(job)
        return
    if place is None:
        st.info("This run goes on in another process; its result will show here.")
        return
    latest = job.latest
    if latest is None:
        st.progress(0.0, "Starting: the model and the images are being loaded")
        stop_button(job)
        return
    share = min(1.0, latest.step / latest.total_steps) if latest.total_steps else 0.0
    st.progress(share, progress_text(latest))
    stop_button(job)
    show_live(job.plan, job.snapshots, job.run)


def progress_text(latest: Snapshot) -> str:
    """ "Step 12 of 40, about 20 s left", or what is done where no step is."""
    if not latest.total_steps:
        return "Looking at the network before it forgets"
    text = f"Step {latest.step:,} of {latest.total_steps:,}"
    if latest.phase == "measuring":
        return f"{text} done: measuring the result on all images"
    if latest.remaining is not None:
        text += f", about {wording.duration(latest.remaining)} left"
    return text if latest.phase == "unlearning" else f"{text} ({latest.phase})"


def stop_button(job: Job) -> None:
    """Stop, for the one who started it."""
    if not lab.owned(job, st.session_state.owner):
        st.caption("Somebody else started this run; only they can stop it.")
        return
    label = "Stopping…" if job.stopping else "Stop the run"
    if st.button(label, key="stop", icon=":material/stop_circle:", disabled=job.stopping):
        try:
            lab.cancel(job.id, st.session_state.owner)
            st.toast("Stopping; what was done so far is kept.")
        except LabError as error:
            state.say(error)


def show_live(plan: Plan, snapshots: list[Snapshot], run: Run | None) -> None:
    """The three columns so far, and the training loss."""
    before, ideal = known_models(plan, run)
    probes = [s for s in snapshots if s.probe is not None]
    columns = {
        "before": widgets.Column.of(before, plan.request)
        if before
        else widgets.Column.of_probe(probes[0].probe if probes and probes[0].step == 0 else None),
        "after": widgets.Column.of_probe(probes[-1].probe if probes else None),
        "retrained": widgets.Column.of(ideal, plan.request),
    }
    # Over all looks so far: an axis that grew with a bar stays, so that bars do not jump.
    seen = [x for s in probes if s.probe for x in (s.probe.forget_losses, s.probe.test_losses)]
    widgets.three_columns(
        columns,
        plan.request,
        "live",
        {
            "before": MEASURING,
            "after": MEASURING,
            "retrained": widgets.NO_IDEAL if run is not None else MEASURING,
        },
        charts.top_share(*seen, *widgets.losses_of(columns)),
    )
    if probes and probes[-1].probe is not None:
        last = probes[-1].probe
        st.markdown(
            wording.so_far(columns["before"].spy, columns["after"].spy, columns["retrained"].spy)
        )
        st.caption(
            f"The middle column was measured at step {probes[-1].step:,} on a sample of "
            f"{len(last.forget_losses):,} + {len(last.test_losses):,} images; all of them are "
            "measured at the end."
        )
    points = [(s.step, s.training_loss) for s in snapshots if s.training_loss is not None]
    if len(points) > 1:
        keep = np.unique(np.linspace(0, len(points) - 1, min(300, len(points))).astype(int))
        steps = [points[i][0] for i in keep]
        values = [float(points[i][1]) for i in keep]  # type: ignore[arg-type]
        text = (
            f"Training loss: {values[-1]:.3f} at step {steps[-1]:,}, {values[0]:.3f} at the start"
        )
        chart = charts.line(steps, values, snapshots[-1].total_steps, "Training loss", text)
        widgets.draw(chart, "live-loss")
        st.caption(f"{text}. {rolling(snapshots[-1])}")
        box = st.expander("The same as tables", key="live-tables", on_change="rerun")
        if box.open:
            with box:
                widgets.bars(columns)
                widgets.table({"step": steps, "training loss": values}, "Training loss")


def rolling(latest: Snapshot) -> str:
    """The small sample taken this moment, labelled with its size."""
    if latest.rolling_forget is None or latest.rolling_test is None:
        return ""
    return (
        f"Right now (median loss of {len(latest.rolling_forget)} + {len(latest.rolling_test)} "
        f"images): to forget {wording.loss(np.median(latest.rolling_forget))}, test "
        f"{wording.loss(np.median(latest.rolling_test))}."
    )


def known_models(plan: Plan, run: Run | None) -> tuple[Evaluation | None, Evaluation | None]:
    """Before and retrained, from this run once it has them, until then from an earlier one."""
    if run is not None:
        return run.before, run.retrained
    return lab.references(plan)


# Finished


def unsaved(job: Job) -> None:
    """Why a run is in this server's memory only, and a button that tries to save it again."""
    st.warning(
        f"This run could not be saved, so it has no link yet. {job.unsaved}", icon=":material/save:"
    )
    if st.button("Save again", key="save-again", type="primary"):
        try:
            lab.save_again(job.id)
        except LabError as error:
            state.say(error)
        else:
            st.rerun()


def finished(run: Run, saved: bool) -> None:
    """The result, its replay and the exports."""
    link = state.share_link(with_draft=False, run=run.id) if saved else ""
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**{outside.plain(lab.method_label(run.plan.method))}** was told to forget "
            f"{outside.plain(run.plan.request.describe())} of "
            f"{outside.plain(widgets.data_title(run.plan.dataset))}. It took "
            f"{wording.duration(run.seconds.get('unlearning'))}, measuring not counted."
        )
        st.button("New run", key="new-run", on_click=leave_run, icon=":material/add:")
    if source := run.data.get("source"):
        st.caption(f"Data: {outside.plain(source)}")
    if run.error:
        st.info(outside.plain(run.error), icon=":material/info:")
    widgets.result(run, f"result-{run.id}")
    replay(run)
    widgets.exports(run, link, f"export-{run.id}")
    with st.container(horizontal=True):
        start_again(run.plan, "Set it up again")
        if st.button("Compare it with other runs", key="to-compare", icon=":material/compare:"):
            st.session_state.compare = [run.id]
            st.switch_page(widgets.COMPARE)


def failed(job: Job) -> None:
    """What happened, and the way on."""
    text = outside.plain(job.error or "This run failed.")
    if text.startswith("Stopped"):
        st.warning(text, icon=":material/front_hand:")
    else:
        st.error(text, icon=":material/error:")
    with st.container(horizontal=True):
        start_again(job.plan, "Set it up again")
        if job.plan.dataset != "digits" and st.button("Use digits instead", key="use-digits"):
            state.choose("digits", None)
            st.switch_page(widgets.CHOOSE)


def replay(run: Run) -> None:
    """A scrubber over the probes of a run."""
    frames = [s for s in run.replay if s.probe is not None]
    if len(frames) < 2:
        return
    st.subheader("Replay")
    at = st.select_slider(
        "Step",
        range(len(frames)),
        value=len(frames) - 1,
        key=f"replay-{run.id}",
        format_func=lambda i: f"{frames[i].step:,}",
    )
    losses = [x for s in frames if s.probe for x in (s.probe.forget_losses, s.probe.test_losses)]
    probe = frames[at].probe
    assert probe is not None
    left, right = st.columns(2)
    n, m = len(probe.forget_losses), len(probe.test_losses)
    text = (
        f"At step {frames[at].step:,} of {run.total_steps:,} the sample's median loss is "
        f"{wording.loss(np.median(probe.forget_losses))} on images to forget and "
        f"{wording.loss(np.median(probe.test_losses))} on test images"
        f"{' of the same classes' if probe.matched else ''} ({n:,} + {m:,} images)."
    )
    top = charts.top_share(*losses)
    chart = charts.histogram(probe.forget_losses, probe.test_losses, top, text, probe.matched)
    with left:
        widgets.draw(chart, f"replay-chart-{run.id}")
    left.markdown(text)
    scores = [np.nan if s.probe is None or s.probe.mia is None else s.probe.mia for s in frames]
    known = [score for score in scores if np.isfinite(score)]
    if not known:
        right.caption(f"Spy's score: {wording.TOO_FEW}.")
        return
    ideal = None
    if run.retrained is not None:
        ideal = run.retrained.mia_class_matched if probe.matched else run.retrained.mia
    references = {"coin flip": 0.5}
    if wording.known(ideal) and ideal is not None:
        references = {"retrained (ideal)": ideal.value}
    low, high = min([0.45, *known, *references.values()]), max([*known, *references.values(), 0.6])
    score = wording.percent(scores[at]) if np.isfinite(scores[at]) else wording.TOO_FEW
    end = wording.percent(known[-1])
    said = f"The spy's score on this sample is {score} here, and {end} at the end."
    line = charts.line(
        [s.step for s in frames],
        scores,
        run.total_steps,
        "Spy's score",
        said,
        (low - 0.02, high + 0.02),
        references,
        percent=True,
        mark=frames[at].step,
    )
    with right:
        widgets.draw(line, f"replay-line-{run.id}")
    right.markdown(said)
    with st.expander("The same as a table"):
        widgets.table(
            {
                "step": [s.step for s in frames],
                "spy's score": scores,
                "median loss, to forget": [
                    float(np.median(s.probe.forget_losses)) for s in frames if s.probe
                ],
                "median loss, test": [
                    float(np.median(s.probe.test_losses)) for s in frames if s.probe
                ],
            },
            "The looks on the way",
            percents=["spy's score"],
        )


# The page

run_id = st.session_state.run
if run_id is None:
    state.write_address()
    set_up()
    st.stop()
try:
    job = lab.job(run_id)
except LabError as error:
    state.write_address()
    state.say(error)
    st.button("Set up a run instead", key="new-run", type="primary", on_click=leave_run)
    st.stop()
st.session_state.draft = Draft.of_plan(job.plan)
state.write_address(run=run_id)
if job.alive:
    st.markdown(
        f"**{outside.plain(lab.method_label(job.plan.method))}** forgets "
        f"{outside.plain(job.plan.request.describe())}, from "
        f"{outside.plain(widgets.data_title(job.plan.dataset))}."
    )
    st.fragment(live, run_every=TICK)(run_id)
    st.caption(
        "You may leave this page: with nobody watching the run goes on for two minutes, and the "
        "address of this page brings you back to it."
    )
else:
    if job.unsaved:
        unsaved(job)
    if job.run is None or job.state == "failed":
        failed(job)
    else:
        finished(job.run, saved=not job.unsaved)
