"""One moment of a run, under way or over: the strip, some of the photos, and the losses, with the
scrubber that picks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from core.metrics.measures import Evaluation
from core.runs import estimates
from core.runs.plan import Plan
from core.runs.run import Probe, Snapshot
from ui.screens.unlearn.kept import Moment, keep_buttons, kept_of
from ui.services import images
from ui.widgets import losses
from ui.widgets.stamp import the_strip, twin
from ui.widgets.wall import Cell, wall
from ui.wording import moments, numbers, strip, terms

SHAPED = 150
"""Photos below which a histogram is a shape of chance: then the last probe's is shown."""


@dataclass(frozen=True)
class Way:
    """The way of a run so far. run: its id. snapshots: from the first on. total: steps in all, 0
    while nobody knows. before, ideal: as they were measured, None where they are not (yet)."""

    run: str
    plan: Plan
    snapshots: Sequence[Snapshot]
    total: int
    before: Evaluation | None
    ideal: Evaluation | None

    def up_to(self, step: int) -> list[Snapshot]:
        """All until this step."""
        return [s for s in self.snapshots if s.step <= step]


def scrubber(way: Way, key: str, under_way: bool) -> int:
    """The step that is shown: the last there is, unless somebody looks back."""
    if not way.total:
        return 0
    return st.slider(
        "Look back (all the way to the right: now)" if under_way else "Step",
        0,
        way.total,
        way.total,
        key=f"{key}-step",
        help="Every moment since the start is kept; the run goes on meanwhile.",
    )


def moment(way: Way, step: int, key: str) -> None:
    """What was known at a step: the strip, the photos, the losses; beside a moment that was kept,
    if any."""
    seen = way.up_to(step)
    look = estimates.look(seen)
    if look is None:
        photos(way.plan, None, None, way.ideal)
        return
    first = next((s.probe for s in way.snapshots if s.step == 0 and s.probe), None)
    probe = next((s.probe for s in reversed(seen) if s.probe is not None), look)
    shapes = look if len(look.forget_losses) >= SHAPED else probe
    here = Moment(seen[-1].step, look, shapes)
    kept = kept_of(way.run)
    if kept is None or kept.step == here.step:
        _strip(way, look, key)
        keep_buttons(way.run, here)
        st.caption(_of_what(seen[-1], look))
        photos(way.plan, first, look, way.ideal)
        the_losses(way, first, shapes, key)
        return
    for place, (title, it, own) in zip(
        st.columns(2, gap="medium"),
        ((f"Kept: step {kept.step:,}", kept, f"{key}-kept"), (f"Step {here.step:,}", here, key)),
        strict=True,
    ):
        with place:
            st.markdown(f"##### {title}")
            _strip(way, it.look, own)
            the_losses(way, first, it.shapes, own)
    st.markdown(moments.since(kept.step, here.step, _rows(way, kept.look), _rows(way, look)))
    keep_buttons(way.run, here)
    photos(way.plan, first, look, way.ideal)


def _rows(way: Way, look: Probe) -> list[strip.Row]:
    """The strip's rows; none where before or the ideal is not known."""
    verdict = estimates.so_far(way.plan, way.before, way.ideal, look)
    if verdict is None:
        return []
    rows = strip.rows(verdict, way.plan.request, estimating=True)
    if "inside" in verdict.missing:
        rows.insert(len([r for r in rows if not r.damage]), strip.not_asked())
    return rows


def _strip(way: Way, look: Probe, key: str) -> None:
    rows = _rows(way, look)
    if not rows:
        text = f"Right about the forgotten photos: about {numbers.percent(look.forget_accuracy)}"
        if way.before is not None and numbers.known(start := way.before["forget_accuracy"]):
            text += f", {numbers.percent(start.value)} before"
        st.markdown(f"{text}. {terms.NO_AIM}" if way.before is not None else f"{text}.")
        return
    the_strip(rows, key, strip.LIVE_LEGEND)
    box = st.expander("The strip as a table", key=f"{key}-twin", on_change="rerun")
    if box.open:
        with box:
            twin(rows)


def _of_what(latest: Snapshot, look: Probe) -> str:
    n, m = len(look.forget_losses), len(look.test_losses)
    seen = f"{n:,} photos to forget and {m:,} new ones"
    if latest.probe is None:  # small samples together, which may have a photo twice
        seen = f"the last {n:,} glances at photos to forget and {m:,} at new ones"
    same = " of the same classes" if look.matched else ""
    return f"At step {latest.step:,}, from {seen}{same}; all are asked about after the last step."


def photos(plan: Plan, first: Probe | None, look: Probe | None, ideal: Evaluation | None) -> None:
    """The same few photos of the forget set: what the network says of each, before and now."""
    found = images.few_of(plan.dataset, plan.request)
    if found is None:
        return
    cells = []
    for place, (position, picture, label) in enumerate(found.photos):
        bars = [
            (name, float(np.exp(-probe.photo_losses[place])))
            for name, probe in (("before", first), ("now", look))
            if probe is not None and probe.photo_losses is not None
        ]
        if ideal is not None and len(ideal.forget_losses) == found.count:
            bars.append(("ideal", float(np.exp(-ideal.forget_losses[position]))))
        cells.append(Cell(picture, label, _says(found.names, place, first, look), bars))
    wall(cells)
    if look is not None and look.photo_losses is not None:
        st.caption("Bars: how sure each network is of the photo's label.")


def _says(
    names: Sequence[str], place: int, first: Probe | None, look: Probe | None
) -> tuple[str, ...]:
    """What it says now, and what it said before where that is something else."""
    said = [
        names[int(probe.photo_predictions[place])]
        for probe in (first, look)
        if probe is not None and probe.photo_predictions is not None
    ]
    if not said:
        return ()
    return (f"says {said[-1]}" + (f", not {said[0]}" if said[0] != said[-1] else ""),)


def the_losses(way: Way, first: Probe | None, look: Probe, key: str) -> None:
    """One histogram with a switch; its axis holds what has been seen so far."""
    request = way.plan.request
    found = {"after": losses.Shown(look.forget_losses, look.test_losses, look.matched)}
    if way.before is not None:
        found = {"before": losses.of_evaluation(way.before, request), **found}
    elif first is not None:
        start = losses.Shown(first.forget_losses, first.test_losses, first.matched)
        found = {"before": start, **found}
    if way.ideal is not None:
        found["retrained"] = losses.of_evaluation(way.ideal, request)
    probes = [s.probe for s in way.snapshots if s.probe is not None]
    also = [x for probe in probes for x in (probe.forget_losses, probe.test_losses)]
    losses.histogram(found, key, also)
