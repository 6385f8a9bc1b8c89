"""Forgotten, or only silenced? What each network says, and what a new last layer finds in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from core.data.splits import drawn
from core.runs.run import Run
from core.runs.verdicts import verdict_of
from ui import outside
from ui.charts.mouths import mouths as chart
from ui.services import run_images
from ui.widgets.figures import draw, table
from ui.widgets.wall import Cell, wall
from ui.wording import silenced
from ui.wording.silenced import Mouths

SHOWN = 12


def forgotten_or_silenced(run: Run, key: str) -> bool:
    """The question with its chart and the switch; False where nobody has looked inside."""
    found = silenced.mouths(run)
    if not found:
        return False
    st.subheader(silenced.QUESTION)
    left, right = st.columns(2, gap="large")
    text = silenced.finding(run, found)
    with left:
        verdict = verdict_of(run)
        signal = verdict.signal("re_head") if verdict else None
        excess = signal is not None and signal.place == "on the way"
        draw(_chart(found, excess, f"{silenced.QUESTION} {text}"), f"{key}-mouths")
        st.markdown(outside.plain(text))
    with right:
        new = st.toggle(silenced.SWITCH, key=f"{key}-mouth", help=silenced.SWITCH_HELP)
        _photos(run, found, new)
        st.caption(silenced.yardstick(run, found))
    return True


@st.cache_data(show_spinner=False, max_entries=32)
def _chart(found: Mapping[str, Mouths], excess: bool, description: str) -> dict[str, Any]:
    """The chart's Vega-Lite, made once."""
    return chart(found, excess, description).to_dict()


def as_table(run: Run) -> None:
    """What each network says and recognises, as a table."""
    if found := silenced.mouths(run):
        table(
            {
                "network": [silenced.ROWS[model] for model in found],
                silenced.SAYS: [found[model].says for model in found],
                silenced.RECOGNISES: [found[model].recognises for model in found],
            },
            "What each network says and recognises",
            percents=(silenced.SAYS, silenced.RECOGNISES),
        )


def _photos(run: Run, found: Mapping[str, Mouths], new: bool) -> None:
    """Some of the photos asked about, and whether the two networks name each; in words alone where
    the images are not here."""
    now, ideal = found["after"], found["retrained"]
    st.markdown(silenced.switched(now, ideal, new))
    cells = _cells(run, now, ideal, new)
    if cells:
        wall(cells, width=132)


def _cells(run: Run, now: Mouths, ideal: Mouths, new: bool) -> list[Cell]:
    here = run_images.of_run(run)
    if here is None:
        return []
    data, parts = here
    on_test = silenced.whole(run.plan.request)
    asked = parts.test_class_matched if on_test else parts.forget
    if len(asked) != len(now.own):
        return []
    pixels, labels = (
        (data.test_images, data.test_labels) if on_test else (data.train_images, data.train_labels)
    )
    looked_at = drawn(asked, len(now.new))
    cells = []
    for place in drawn(np.arange(len(looked_at)), SHOWN):
        index = looked_at[place]
        at = place if new else int(np.searchsorted(asked, index))
        right = [bool((m.new if new else m.own)[at]) for m in (now, ideal)]
        marks = [
            f"{who} {'✓' if yes else '✗'}" for who, yes in zip(("now", "ideal"), right, strict=True)
        ]
        cells.append(Cell(pixels[int(index)].numpy(), data.class_names[labels[int(index)]], marks))
    return cells
