"""The replay of a finished run: a scrubber over the quick looks that were taken on the way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from core.runs.run import Run, Snapshot
from ui.charts import histograms, over_steps
from ui.widgets.figures import draw, table
from ui.wording import numbers, terms


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
    left, right = st.columns(2)
    with left:
        _histogram(run, frames, at)
    scores = [np.nan if s.probe is None or s.probe.mia is None else s.probe.mia for s in frames]
    if not np.isfinite(scores).any():
        right.caption(f"Spy's score: {terms.TOO_FEW}.")
        return
    with right:
        _spy_line(run, frames, at, scores)
    with st.expander("The same as a table"):
        table(
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


def _histogram(run: Run, frames: Sequence[Snapshot], at: int) -> None:
    """The sample's losses at a look, on axes that hold those of all looks."""
    losses = [x for s in frames if s.probe for x in (s.probe.forget_losses, s.probe.test_losses)]
    probe = frames[at].probe
    assert probe is not None
    n, m = len(probe.forget_losses), len(probe.test_losses)
    text = (
        f"At step {frames[at].step:,} of {run.total_steps:,} the sample's median loss is "
        f"{numbers.loss(np.median(probe.forget_losses))} on images to forget and "
        f"{numbers.loss(np.median(probe.test_losses))} on test images"
        f"{' of the same classes' if probe.matched else ''} ({n:,} + {m:,} images)."
    )
    top = histograms.top_share(*losses)
    chart = histograms.histogram(probe.forget_losses, probe.test_losses, top, text, probe.matched)
    draw(chart, f"replay-chart-{run.id}")
    st.markdown(text)


def _spy_line(run: Run, frames: Sequence[Snapshot], at: int, scores: Sequence[float]) -> None:
    """The spy's score over the steps, with the step of this look; some of it is known."""
    known = [score for score in scores if np.isfinite(score)]
    probe = frames[at].probe
    assert probe is not None
    ideal = None
    if run.retrained is not None:
        ideal = run.retrained["mia_class_matched" if probe.matched else "mia"]
    references = {"coin flip": 0.5}
    if numbers.known(ideal):
        references = {"retrained (ideal)": ideal.value}
    low, high = min([0.45, *known, *references.values()]), max([*known, *references.values(), 0.6])
    score = numbers.percent(scores[at]) if np.isfinite(scores[at]) else terms.TOO_FEW
    end = numbers.percent(known[-1])
    said = f"The spy's score on this sample is {score} here, and {end} at the end."
    line = over_steps.line(
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
    draw(line, f"replay-line-{run.id}")
    st.markdown(said)
