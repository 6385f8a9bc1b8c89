"""The replay of a finished run: a scrubber over the looks that were taken on the way."""

from __future__ import annotations

import streamlit as st

from core.runs.run import Run
from ui.screens.unlearn.moment import Way, moment, scrubber


def replay(run: Run) -> None:
    """A scrubber over the probes of a run, drawn when it is opened."""
    if len([s for s in run.replay if s.probe is not None]) < 2:
        return
    key = f"replay-{run.id}"
    box = st.expander("Replay it, step by step", key=key, on_change="rerun")
    if box.open:
        with box:
            way = Way(run.plan, run.replay, run.total_steps, run.before, run.retrained)
            moment(way, scrubber(way, key, under_way=False), key)
