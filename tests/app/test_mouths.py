"""Forgotten, or only silenced? The panel's numbers, and sentences that follow them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.metrics.measures import Measure
from core.unlearners import CONTROLS
from tests.app import fakes
from ui.charts.mouths import mouths as chart
from ui.charts.palette import FORGET
from ui.wording import cheats, silenced


def looked_into(evaluation, says: float, recognises: float, rest: float):
    """The same evaluation, asked about 1,000 photos with its own mouth and with a new one."""
    own, new, others = (np.arange(1000) < 1000 * share for share in (says, recognises, rest))
    value = recognises - rest
    said = Measure(says, says, says, 1000, each=(own,))
    inside = Measure(value, value - 0.01, value + 0.01, 1000,
                     each=(new.astype("float32"), -others.astype("float32")))  # fmt: skip
    measures = {**evaluation.measures, "class_matched_test_accuracy": said, "re_head": inside}
    return replace(evaluation, measures=measures)


def run(now: float, ideal: float = 0.85):
    found = fakes.class_run()
    return replace(
        found,
        before=looked_into(found.before, 0.95, 0.95, 0.87),
        after=looked_into(found.after, 0.0, now, 0.85),
        retrained=looked_into(found.retrained, 0.0, ideal, 0.85),
    )


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (0.93, "It no longer names “1”, but still recognises one better than a network that never"),
        (0.85, "It no longer names “1”, and recognises one no better than a network that never"),
        (0.75, "It no longer names “1”, and recognises one worse than a network that never"),
    ],
)
def test_the_finding_follows_the_look_inside(now: float, said: str) -> None:
    text = silenced.finding(run(now), silenced.mouths(run(now)))
    assert said in text
    assert f"{100 * now:.1f} % with a new last layer, the ideal 85.0 %" in text


def test_the_yardstick_is_the_ideal_and_not_nothing() -> None:
    text = silenced.yardstick(run(0.93), silenced.mouths(run(0.93)))
    assert "tells 85.0 % of them from the rest" in text
    assert "+8.0 points now, ideal +0.0" in text


def test_the_switch_gives_both_networks_the_same() -> None:
    found = silenced.mouths(run(0.93))
    own, new = (silenced.switched(found["after"], found["retrained"], x) for x in (False, True))
    assert "**0.0 %**" in own
    assert "**93.0 %** of them, and the ideal **85.0 %**" in new


def test_nothing_is_shown_where_nobody_looked_inside() -> None:
    assert silenced.mouths(fakes.class_run()) == {}
    assert silenced.mouths(replace(run(0.93), retrained=None)) == {}


def test_the_chart_has_both_questions_of_all_networks() -> None:
    spec = chart(silenced.mouths(run(0.93)), True, "words").to_dict()
    rows = next(x for x in spec["datasets"].values() if "share" in x[0])
    shown = {(row["asked"], row["model"]): round(row["share"], 3) for row in rows}
    assert shown == {
        (silenced.SAYS, "before"): 0.95, (silenced.SAYS, "now"): 0.0, (silenced.SAYS, "ideal"): 0.0,
        (silenced.RECOGNISES, "before"): 0.95, (silenced.RECOGNISES, "now"): 0.93,
        (silenced.RECOGNISES, "ideal"): 0.85,
    }  # fmt: skip
    assert [row["model"] for row in rows if row["ink"] == FORGET] == ["now"]
    assert spec["height"] >= 260


def test_every_control_is_a_cheat_to_try() -> None:
    assert set(cheats.CHEATS) == set(CONTROLS)
    assert cheats.note("mask").startswith("This is a cheat")
    assert cheats.note("fine_tune") == ""
