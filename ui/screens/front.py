"""The front page's parts: what it is about, a finished run, the classic cases."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.errors import LabError
from core.runs.run import Run
from ui import links, outside
from ui.services import front_photos, images, methods, shipped
from ui.state import drafts
from ui.state.session import session
from ui.widgets.errors import say
from ui.widgets.frame import UNLEARN
from ui.widgets.result import verdict
from ui.widgets.stamp import the_strip
from ui.widgets.wall import Cell, wall
from ui.wording import guess, numbers, strip
from ui.wording.cases import PRESETS

FIRST = "class"
"""The case that is shown first: the one in which silence looks like forgetting."""


def introduction() -> None:
    """The question, and what unlearning is."""
    st.title("Can a neural network forget?")
    st.markdown(
        "A network learned ten kinds of things from 50,000 small photos, and some photos it "
        "learned by heart. Now somebody asks: *forget mine.* Training again from scratch without "
        "them would do it, but it is slow. **Machine unlearning** tries to get there quickly."
    )


def finished_run() -> None:
    """A shipped run of one of the classic cases, whichever the visitor takes: photos that it was
    told to forget, a guess, and the verdict."""
    ready = {preset.key: run for preset in PRESETS if (run := shipped.of_case(preset.key))}
    titles = {preset.key: preset.title for preset in PRESETS}
    if not ready:
        _photos(None)
        st.info("This copy ships no finished run. Make one: choose what to forget.")
        return
    keys = sorted(ready, key=lambda key: key != FIRST)
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
    try:
        run = shipped.run(ready[case].id)
    except LabError as error:
        say(error)
        return
    _photos(run)
    _guess_then_verdict(run, case)


def _photos(run: Run | None) -> None:
    """Six photos of those that the run was told to forget, before and now; digits until the photos
    are here."""
    digits = front_photos.some_digits(front_photos.COUNT)
    shown = front_photos.Shown(*digits, [])
    if run is not None:
        digest = str(run.data.get("forget_digest", ""))
        shown = front_photos.of_request(run.plan.dataset, run.plan.request, digest)
    cells = []
    for place, (picture, name) in enumerate(zip(shown.photos, shown.names, strict=True)):
        bars = []
        if run is not None and shown.positions:
            for label, evaluation in (("before", run.before), ("now", run.after)):
                if evaluation is not None:
                    loss = evaluation.forget_losses[shown.positions[place]]
                    bars.append((label, float(np.exp(-loss))))
        cells.append(Cell(picture, name, (), bars))
    wall(cells)
    if not shown.positions:
        st.caption("Handwritten digits stand in here until the photos are on this machine.")
    else:
        st.caption("Six of the photos to forget, and how sure the network is of what they show.")


def _guess_then_verdict(run: Run, case: str) -> None:
    """What the network says now; has it forgotten? The verdict once the visitor has guessed."""
    key = f"front-{case}"
    st.markdown(
        f"{outside.plain(methods.label(run.plan.method))} was told to forget "
        f"**{outside.plain(run.plan.request.describe())}** and took "
        f"{numbers.duration(run.seconds.get('unlearning'))}. {guess.says(run)}"
    )
    taken = st.segmented_control(
        "Has it forgotten?", list(guess.GUESSES), format_func=guess.GUESSES.get, key=f"{key}-guess"
    )
    if taken is None:
        the_strip(strip.of_run(run)[1:2], key, guess.INVITATION)
        return
    if text := guess.answer(run, taken):
        st.markdown(text)
    verdict(run, key)
    if st.button("See this run in full", key=f"{key}-full", icon=":material/search:"):
        session.run = run.id
        st.switch_page(UNLEARN)


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
