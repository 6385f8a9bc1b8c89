"""The race: the runs replayed side by side over the seconds, by a slider or by themselves."""

from __future__ import annotations

import time
from collections.abc import Sequence

import streamlit as st

from ui.charts import race as charts
from ui.state import values
from ui.widgets.figures import draw, table
from ui.widgets.specs import made_once
from ui.wording import race as words
from ui.wording.comparison import Entrant
from ui.wording.race import Race

SECOND, PLAYING, SINCE = "race-second", "race-playing", "race-since"
TICK, LASTS = 0.4, 10.0
"""Seconds between two frames, and of the whole replay, however long the runs took."""
STEPS = 100


def race(entrants: Sequence[Entrant]) -> None:
    """The box with the replay; nothing where no two have anything to replay."""
    found = words.races(entrants)
    if not found:
        return
    # Of many runs the strips are tall enough: their race is opened by whoever wants it.
    box = st.expander(
        "The race: watch them side by side", expanded=len(entrants) == 2, key="race",
        on_change="rerun",
    )  # fmt: skip
    if not box.open:
        values.put(PLAYING, False)
        return
    playing = bool(values.get(PLAYING))
    with box:
        st.fragment(_race, run_every=TICK if playing else None)(found, playing)


def _race(found: Sequence[Race], ticking: bool) -> None:
    if ticking != bool(values.get(PLAYING)):  # somebody has moved the slider
        st.rerun()
    by_title = {race.question: race for race in found}
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        title = st.segmented_control(
            "The question", list(by_title), default=found[0].question, required=True,
            key="race-question",
        )  # fmt: skip
    now = by_title.get(str(title), found[0])
    with right:
        _button(now)
    seconds = _second(now)
    text = words.moment(now, seconds)
    about = ("race", now)
    spec = made_once(about, lambda: charts.course(now))
    draw(charts.at(spec, now, seconds, f"The race. {text.replace('*', '')}"), "race-chart")
    st.markdown(f"{text} {words.finish(now)}")
    st.caption(
        "Each dot is a look that was taken while the method ran, at a sample of the photos; lines "
        "only join them. Shaded: as near as two retrainings come to each other, or nearer than "
        "matters. Of several seeds the first one runs."
    )
    with st.expander("This moment as a table"):
        table(
            words.table(now, seconds),
            "Where each run was at this moment",
            formats={"last look after (s)": "%.1f", "points from the ideal": "%+.1f"},
        )
    if ticking and seconds >= now.end:
        _pause()
        st.rerun()


def _button(now: Race) -> None:
    """Starts and holds the replay."""
    if values.get(PLAYING):
        if st.button("Hold", key="race-hold", icon=":material/pause:"):
            _pause()
            st.rerun()
    elif st.button("Start the race", key="race-play", icon=":material/play_arrow:"):
        start = float(values.get(SECOND, now.end))
        values.put(SINCE, (time.monotonic(), 0.0 if start >= now.end else start))
        values.put(PLAYING, True)
        st.rerun()


def _pause() -> None:
    values.put(PLAYING, False)


def _second(now: Race) -> float:
    """The moment that is shown: at first the end."""
    end = max(now.end, 0.1)
    step = end / STEPS
    second = float(values.get(SECOND, end))
    if values.get(PLAYING):
        began, start = values.get(SINCE, (time.monotonic(), 0.0))
        second = start + (time.monotonic() - began) / LASTS * end
    values.put(SECOND, min(end, round(second / step) * step))
    return float(
        st.slider(
            "Seconds since the start", 0.0, end, key=SECOND, step=step, format="%.1f s",
            on_change=_pause,
        )
    )  # fmt: skip
