"""The front page's parts: what it is about, a finished run, the classic cases."""

from __future__ import annotations

import streamlit as st

from core.errors import LabError
from core.runs.summary import RunSummary
from ui import links, outside
from ui.services import images, methods, shipped
from ui.state import drafts
from ui.widgets.errors import say
from ui.widgets.frame import UNLEARN
from ui.widgets.result import result
from ui.wording import numbers
from ui.wording.cases import PRESETS, Preset


def introduction() -> None:
    """The question, and what unlearning is."""
    st.title("Can a neural network forget?")
    st.markdown(
        "A network learned ten kinds of things from 50,000 small photos, and some photos it "
        "learned by heart. Now somebody asks: *forget mine.* Training again from scratch without "
        "them would do it, but it is slow. **Machine unlearning** tries to get there quickly. Here "
        "you choose what to forget, watch the network forget it, and let a spy test whether the "
        "photos can still be told from ones it never saw."
    )


def _shown_run(preset: Preset) -> RunSummary | None:
    """The shipped CIFAR-10 run of a case: fine-tuning if there are several."""
    request = links.forget_request(preset.requests["cifar10"])
    found = [
        summary
        for summary in shipped.summaries()
        if summary.plan.dataset == "cifar10" and summary.plan.request == request
    ]
    found.sort(key=lambda summary: summary.plan.method != "fine_tune")
    return found[0] if found else None


def finished_run() -> None:
    """A shipped run of one of the classic cases, whichever the visitor takes."""
    ready = {preset.key: run for preset in PRESETS if (run := _shown_run(preset))}
    titles = {preset.key: preset.title for preset in PRESETS}
    if not ready:
        st.info("This copy ships no finished run. Make one: choose what to forget.")
        return
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
        f"{methods.label(summary.plan.method)} was told to forget "
        f"{outside.plain(summary.plan.request.describe())} of CIFAR-10. It took "
        f"{numbers.duration(summary.seconds.get('unlearning'))}. The aim is the last column: "
        "the network trained anew without those images."
    )
    try:
        result(shipped.run(summary.id), f"front-{case}")
    except LabError as error:
        say(error)


def classic_cases() -> None:
    """Three cards, each of which sets its case up."""
    st.subheader("Or start with a classic case")
    here = images.available("cifar10")
    data = "cifar10" if here else "digits"
    for place, preset in zip(st.columns(3), PRESETS, strict=True):
        with place.container(border=True, height="stretch", key=f"card-{preset.key}"):
            st.markdown(f"#### {preset.icon} {preset.title}")
            st.markdown(preset.stories[data])
            if st.button(
                "Set up this case" if here else "Set it up on digits", key=f"preset-{preset.key}"
            ):
                drafts.choose(data, links.forget_request(preset.requests[data]))
                st.switch_page(UNLEARN)
            if not here:
                st.caption("The photos are not here yet: see below how to get them, or use digits.")
