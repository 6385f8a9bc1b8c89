"""Be the spy: ten photos, trained on or new? Then the score, beside an attack's on the same ten."""

from __future__ import annotations

import html
import math

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.data.splits import drawn
from core.errors import BadRequest
from core.runs.run import Run
from core.runs.suspects import Suspect, Suspects, suspects
from ui import outside
from ui.services import images, run_images
from ui.state import values
from ui.widgets import forgotten
from ui.widgets.data import images_missing
from ui.widgets.wall import Cell, address, wall
from ui.wording import be_the_spy as words

WIDTH = 206
"""Of a photo's card: five stand side by side."""
BARS = {"before": "before", "after": "now", "retrained": "ideal"}


def be_the_spy(run: Run) -> None:
    """The ten photos of a turn, or what came of it."""
    if not images.available(run.plan.dataset):
        images_missing(run.plan.dataset)
        return
    here = run_images.of_run(run)
    if here is None:
        st.info(words.OTHERS, icon=":material/image_not_supported:")
        return
    data, parts = here
    turn = values.first(f"spy-turn-{run.id}", 0)
    shown = drawn(np.arange(len(parts.forget)), forgotten.SHOWN)  # in "Your photos, one by one"
    try:
        found = suspects(run, data, parts, turn, shown)
    except BadRequest as error:
        st.info(outside.plain(error), icon=":material/groups:")
        return
    pictures = [
        (data.train_images if photo.trained else data.test_images)[photo.index].numpy()
        for photo in found.photos
    ]
    key = f"spy-{run.id}-{turn}"
    guesses: dict[int, bool] = values.first(key, {})
    if values.get(f"{key}-shown", False):
        _result(found, pictures, guesses, data.class_names)
        st.button(
            "Ten other photos",
            key=f"{key}-next",
            on_click=lambda: values.put(f"spy-turn-{run.id}", turn + 1),
            icon=":material/replay:",
        )
    else:
        _ask(found, pictures, guesses, data.class_names, key)


def _ask(
    found: Suspects,
    pictures: list[NDArray[np.uint8]],
    guesses: dict[int, bool],
    names: tuple[str, ...],
    key: str,
) -> None:
    st.markdown(f"{words.ASKED} {words.HINT}")
    with st.container(horizontal=True, gap="small"):
        for place, (photo, picture) in enumerate(zip(found.photos, pictures, strict=True)):
            with st.container(border=True, width=WIDTH, gap="small"):
                _card(place, photo, picture, names[photo.label])
                _guess(place, guesses, key)
    total = len(found.photos)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Show who was right",
            key=f"{key}-show",
            type="primary",
            disabled=len(guesses) < total,
            on_click=lambda: values.put(f"{key}-shown", True),
        )
        st.caption(words.progress(len(guesses), total), width="content")


def _card(place: int, photo: Suspect, picture: NDArray[np.uint8], label: str) -> None:
    """The photo, and what the spy sees of it."""
    name = html.escape(label)
    sees = html.escape(words.sees(photo.losses["after"], label))
    st.html(
        '<div style="display: flex; gap: 10px; align-items: center; font-size: 13px; '
        f'line-height: 1.35"><img src="{address(picture)}" alt="Photo {place + 1}: {name}" '
        'style="width: 64px; height: 64px; image-rendering: pixelated; border-radius: 4px">'
        f"<span>{sees}</span></div>"
    )


def _guess(place: int, guesses: dict[int, bool], key: str) -> None:
    """The two answers; kept beside the widget, which is gone with its page."""
    widget = f"{key}-{place}"

    def keep() -> None:
        taken = values.get(widget)
        kept = {at: guess for at, guess in values.get(key, {}).items() if at != place}
        values.put(key, kept if taken is None else {**kept, place: taken == words.TRAINED})

    known = guesses.get(place)
    st.segmented_control(
        f"Photo {place + 1}: trained on or new?",
        [words.TRAINED, words.NEW],
        default=None if known is None else words.TRAINED if known else words.NEW,
        key=widget,
        on_change=keep,
        label_visibility="collapsed",
    )


def _result(
    found: Suspects,
    pictures: list[NDArray[np.uint8]],
    guesses: dict[int, bool],
    names: tuple[str, ...],
) -> None:
    right = sum(guesses[i] == photo.trained for i, photo in enumerate(found.photos))
    st.markdown(words.result(found, right))
    wall(
        [
            Cell(
                picture,
                names[photo.label],
                words.said(photo.trained, guesses[i], photo.accused["after"]),
                [(BARS[model], math.exp(-photo.losses[model])) for model in found.models],
            )
            for i, (photo, picture) in enumerate(zip(found.photos, pictures, strict=True))
        ],
        width=190,
    )
    st.caption("Bars: how sure each network is of the right answer.")
