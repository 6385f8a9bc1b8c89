"""The front page: the story, with a finished run on real photos shown at once.

It imports neither torch nor scikit-learn, and needs neither data nor network.
"""

import streamlit as st

from core.errors import LabError
from core.runs.summary import RunSummary
from ui import lab, links, outside, state, widgets, wording

state.setup_page(state.TITLE)
notices = st.container()

st.title("Can a neural network forget?")
st.markdown(
    "A network learned ten kinds of things from 50,000 small photos, and some photos it learned "
    "by heart. Now somebody asks: *forget mine.* Training again from scratch without them would "
    "do it, but it is slow. **Machine unlearning** tries to get there quickly. Here you choose "
    "what to forget, watch the network forget it, and let a spy test whether the photos can "
    "still be told from ones it never saw."
)
losses = st.container()


def shown_run(preset: wording.Preset) -> RunSummary | None:
    """The shipped CIFAR-10 run of a case: fine-tuning if there are several."""
    request = links.forget_request(preset.requests["cifar10"])
    found = [
        summary
        for summary in lab.shipped()
        if summary.plan.dataset == "cifar10" and summary.plan.request == request
    ]
    found.sort(key=lambda summary: summary.plan.method != "fine_tune")
    return found[0] if found else None


def set_up(preset: wording.Preset, dataset: str) -> None:
    """Makes a case the session's draft."""
    state.choose(dataset, links.forget_request(preset.requests[dataset]))


ready = {preset.key: run for preset in wording.PRESETS if (run := shown_run(preset))}
titles = {preset.key: preset.title for preset in wording.PRESETS}
if ready:
    st.subheader("A finished run on real photos")
    keys = list(ready)
    case = (
        st.segmented_control(
            "What was forgotten",
            keys,
            default=keys[0],
            required=True,
            format_func=titles.get,
            key="front-case",
        )
        if len(keys) > 1
        else keys[0]
    )
    summary = ready[case]
    st.caption(
        f"{lab.method_label(summary.plan.method)} was told to forget "
        f"{outside.plain(summary.plan.request.describe())} of CIFAR-10. It took "
        f"{wording.duration(summary.seconds.get('unlearning'))}. The aim is the last column: "
        "the network trained anew without those images."
    )
    try:
        widgets.result(lab.shipped_run(summary.id), f"front-{case}")
    except LabError as error:
        state.say(error)
else:
    st.info("This copy ships no finished run. Make one: choose what to forget.")

# The store comes after the result: a visitor sees that before the database has been opened.
with notices:
    widgets.service_or_stop()
    widgets.keep_watch()
with losses:
    widgets.lost_runs()

if st.button("Choose what to forget", type="primary", key="start", icon=":material/arrow_forward:"):
    st.switch_page(widgets.CHOOSE)

st.subheader("Or start with a classic case")
here = lab.available("cifar10")
data = "cifar10" if here else "digits"
for place, preset in zip(st.columns(3), wording.PRESETS, strict=True):
    with place.container(border=True, height="stretch", key=f"card-{preset.key}"):
        st.markdown(f"#### {preset.icon} {preset.title}")
        st.markdown(preset.stories[data])
        if st.button(
            "Set up this case" if here else "Set it up on digits", key=f"preset-{preset.key}"
        ):
            set_up(preset, data)
            st.switch_page(widgets.UNLEARN)
        if not here:
            st.caption("The photos are not here yet: see below how to get them, or use digits.")

st.subheader("The data")
widgets.data_note()
