"""The verdict of the images on a deletion in a graph, made when a visitor asks for it."""

from __future__ import annotations

import streamlit as st

from core.graphs.live import LiveDeletion
from core.unlearners.base import Step
from ui.services import graphs
from ui.widgets.figures import table
from ui.wording import graphs as words
from ui.wording.numbers import measured_rows


def box(found: LiveDeletion) -> None:
    """The button, or what came out."""
    st.markdown("#### The verdict")
    run = graphs.judged(found.plan)
    if run is None:
        st.markdown(words.verdict_offer(found.seconds))
        if not st.button("Judge it", key="graphs-judge", icon=":material/gavel:"):
            return
        bar = st.progress(0.0, "training")

        def tick(stage: str, step: Step) -> None:
            text = f"{stage}: step {step.done:,} of {step.total:,}"
            bar.progress(min(step.done / step.total, 1.0), text)

        graphs.judge(found.plan, tick)
        bar.empty()
        run = graphs.judged(found.plan)
    assert run is not None
    st.markdown(words.verdict(run.verdict, run.identical))
    measured = {"before": run.before, "after": run.after, "retrained": run.retrained}
    table(measured_rows(measured, words.MEASURED), "The shards before, after and retrained")
