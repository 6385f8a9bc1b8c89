"""Two runs against each other, out of all that have finished."""

import zlib
from typing import NoReturn

import pandas as pd
import streamlit as st

from core.errors import LabError
from core.metrics.histogram import BINS, density, overlap
from core.runs.run import Run
from core.runs.summary import RunSummary
from ui import charts, lab, links, outside, report, state, widgets, wording

state.setup_page("Compare")
widgets.service_or_stop()
widgets.keep_watch()
st.title("Compare finished runs")
PAGE = 200


def leave() -> NoReturn:
    """Ends the page with what stands at its foot whatever is chosen."""
    widgets.story()
    st.stop()


try:
    rows_shown = st.session_state.setdefault("compare-rows", PAGE)
    summaries = lab.runs(rows_shown, st.session_state.compare_default)
    older = lab.count_runs() - rows_shown
except LabError as error:
    state.say(error)
    leave()
if not summaries:
    st.info("No run has finished yet, so there is nothing to compare.", icon=":material/compare:")
    if st.button("Choose what to forget", type="primary", key="to-choose"):
        st.switch_page(widgets.CHOOSE)
    leave()

ids = [summary.id for summary in summaries]
if unknown := [id for id in st.session_state.compare_default if id not in ids]:
    st.warning(
        outside.plain(f"There is no finished run {links.some(unknown)} on this server."),
        icon=":material/link_off:",
    )
# The table knows rows, not runs: when a run has been added, it starts anew from the runs ticked.
if st.session_state.get("compare-ids") != ids:
    if "compare-ids" in st.session_state:
        st.session_state.compare_default = st.session_state.compare
    st.session_state["compare-ids"] = ids
ticked = [ids.index(id) for id in st.session_state.compare_default if id in ids]


def spy(summary: RunSummary, model: str) -> float | None:
    """The attack that is fair for the run's request."""
    fair = summary.plan.request.class_matched
    return summary.value(model, "mia_class_matched" if fair else "mia")


table = pd.DataFrame(
    {
        "method": [lab.method_label(s.plan.method) for s in summaries],
        "differs in": wording.differences(
            [s.plan for s in summaries], [s.settings for s in summaries], lab.setting_label
        ),
        "forgot": [s.plan.request.describe() for s in summaries],
        "data": [s.plan.dataset for s in summaries],
        "spy before": [spy(s, "before") for s in summaries],
        "spy after": [spy(s, "after") for s in summaries],
        "spy retrained": [spy(s, "retrained") for s in summaries],
        "right on new images": [s.value("after", "retained_test_accuracy") for s in summaries],
        "seconds": [s.seconds.get("unlearning") for s in summaries],
        "status": [f"{wording.STATUS[s.status]}{', shipped' * s.shipped}" for s in summaries],
        "started": [s.created[:16].replace("T", " ") for s in summaries],
    }
).astype({"seconds": float})
if not table["differs in"].any():
    table = table.drop(columns="differs in")
st.markdown("Tick two runs in the first column. The first you tick is A, the second B.")
event = widgets.table(
    table,
    "Finished runs, to choose from",
    percents=("spy before", "spy after", "spy retrained", "right on new images"),
    formats={"seconds": "%.1f"},
    on_select="rerun",
    selection_mode="multi-row",
    key=f"runs-{zlib.crc32(repr((ids, ticked)).encode())}",
    selection_default={"selection": {"rows": ticked}},
)
st.caption(
    "Spy: membership inference accuracy, class-matched where classes or single images were chosen; "
    "the aim is the retrained network's. Right on new images: retained test accuracy. Seconds: "
    "unlearning only. Shipped: made by the makers of this app. Differs in, where there is "
    "such a column: what tells a run from others of its method."
)
if older > 0 and st.button(f"Show older runs ({older:,} more)", key="older"):
    st.session_state["compare-rows"] += PAGE
    st.rerun()
chosen = [ids[row] for row in event.selection.rows]
# Keep the order in which they were ticked: A stays A.
order = [id for id in st.session_state.compare if id in chosen]
chosen = order + [id for id in chosen if id not in order]
st.session_state.compare = chosen
state.write_address(runs=",".join(chosen))

if len(chosen) != 2:
    text = "Tick two runs to see them overlaid."
    if len(chosen) == 1:
        text = "Tick one more run to see the two overlaid."
    if len(chosen) > 2:
        text = f"{len(chosen)} runs are ticked. Untick all but two to see them overlaid."
    st.info(text, icon=":material/touch_app:")
    leave()


def load(id: str) -> Run | None:
    """A run with its per-image losses; says so where they are lost."""
    try:
        return lab.load_run(id)
    except LabError as error:
        state.say(error)
        return None


runs = [load(id) for id in chosen]
first, second = runs
if first is None or second is None:
    leave()
if first.after is None or second.after is None:
    st.warning("One of these runs has no final measurement, so there is nothing to overlay.")
    leave()
if (first.plan.dataset, first.plan.request) != (second.plan.dataset, second.plan.request):
    st.warning(
        "These two runs forgot different images: compare each with its own retrained model, not "
        "with each other.",
        icon=":material/warning:",
    )
pair = (first, second)
apart = wording.differences(
    [run.plan for run in pair], [run.settings for run in pair], lab.setting_label
)
short = [
    lab.method_label(run.plan.method) + f" ({said})" * bool(said)
    for run, said in zip(pair, apart, strict=True)
]
titles = [f"{name}: {run.plan.request.describe()}" for name, run in zip(short, pair, strict=True)]
losses = [x for e in (first.after, second.after) for x in (e.forget_losses, e.test_losses)]
top = charts.top_share(*losses)
left, right = st.columns(2)
for place, name, color, attribute in (
    (left, "Images to forget", charts.FORGET, "forget_losses"),
    (right, "Test images (never seen)", charts.TEST, "test_losses"),
):
    a, b = getattr(first.after, attribute), getattr(second.after, attribute)
    shared = overlap(a, b)
    text = f"{name}: the two runs' losses after unlearning overlap by {wording.percent(shared)}."
    with place:
        st.markdown(f"##### {name}, after unlearning")
        chart = charts.overlaid((short[0], a), (short[1], b), color, top, text)
        widgets.draw(chart, f"overlaid-{attribute}")
        st.markdown(text)

st.subheader("The numbers")
for place, letter, title, run in zip(st.columns(2), "AB", titles, (first, second), strict=True):
    with place:
        st.markdown(f"##### {letter}: {outside.plain(title)}")
        rows = []
        for model, evaluation in (
            ("before", run.before),
            ("after", run.after),
            ("retrained", run.retrained),
        ):
            column = widgets.Column.of(evaluation, run.plan.request)
            rows.append(
                {
                    "": wording.SHORT[model],
                    "spy's score, fair question": wording.value(column.spy),
                    "spy's score, all new images": wording.value(column.spy_plain),
                    "right on images to forget": wording.value(column.forget),
                    "right on new images it kept": wording.value(column.useful),
                }
            )
        st.table(pd.DataFrame(rows).set_index("").T, alt=f"The numbers of run {letter}")
        st.markdown(f"**{wording.headline(run)}** {wording.reasons(run)}")
        if st.button("Show this run", key=f"show-{letter}"):
            st.session_state.run = run.id
            st.switch_page(widgets.UNLEARN)
with st.expander("The charts as a table"):
    shares = {
        "A: forget": density(first.after.forget_losses),
        "B: forget": density(second.after.forget_losses),
        "A: test": density(first.after.test_losses),
        "B: test": density(second.after.test_losses),
    }
    loss_from = {"loss from": BINS[:-1].round(6)}
    widgets.table(loss_from | shares, "The bars of both runs", percents=shares)
st.caption(wording.LIMITS)
st.markdown("##### Take it with you")
st.code(state.share_link(False, runs=",".join(chosen)), language=None, wrap_lines=True)
st.download_button(
    "Numbers of both (CSV)",
    lambda: pd.concat([report.metrics_table(run) for run in pair]).to_csv(index=False).encode(),
    "compare.csv",
    "text/csv",
    key="compare-csv",
    on_click="ignore",
    icon=":material/table:",
)
widgets.story()
