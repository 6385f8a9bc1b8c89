"""The forgetting strip: where marks stand, what it says, and what of it is an estimate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.data.request_text import parse_request
from core.metrics.measures import Measure
from core.verdict import Signal, verdict_on
from ui.charts.palette import FORGET, INK
from ui.charts.strip import HEADER, ROW, stacked, strip
from ui.wording import strip as words

CLASS = parse_request("class:automobile")


def signal(
    name: str, kind: str, before: float, after: float, ideal: float, margin: float = 0.02, **more
) -> Signal:
    away = after - ideal
    half = more.get("half", 0.01)
    apart = Measure(away, away - half, away + half, more.get("n", 1000))
    return Signal(name, kind, before, after, ideal, apart, margin, True)  # type: ignore[arg-type]


SILENCED = [
    signal("forget_accuracy", "answers", 1.0, 0.0, 0.0, 0.01),
    signal("margin_auc", "outputs", 0.54, 0.50, 0.49),
    signal("re_head", "inside", 0.08, 0.073, 0.004, 0.03),
    signal("retain_accuracy", "damage", 1.0, 0.95, 1.0, 0.01),
    signal("retained_test_accuracy", "damage", 0.88, 0.86, 0.88, 0.01),
]


def rows(signals=SILENCED, request=CLASS, estimating=False):
    return words.rows(verdict_on(signals), request, estimating)


def test_one_row_a_question_the_fair_spy_first() -> None:
    assert [row.label for row in rows()] == [
        "Spy, same class",
        "Says “automobile”",
        "Recognised inside",
        "Useful on the rest",
    ]
    tenth = rows(request=parse_request("random:0.1"))
    assert [row.label for row in tenth][:2] == ["Spy", "Right about the forgotten photos"]


@pytest.mark.parametrize(
    ("before", "after", "margin", "half"),
    [
        (0.52, 0.51, 0.01, 0.10),  # at least ten points
        (0.52, 0.51, 0.03, 0.15),  # at least five bands
        (0.90, 0.51, 0.01, 0.40),  # at least what the row shows
    ],
)
def test_noise_never_fills_a_row(before: float, after: float, margin: float, half: float) -> None:
    (row,) = rows([signal("margin_auc", "outputs", before, after, 0.50, margin)])
    assert row.half == pytest.approx(half)
    assert row.at(before) == pytest.approx((before - 0.5) / half)
    assert row.at(row.ideal) == 0
    assert all(abs(row.at(x)) <= 1 for x in (before, after))


def test_still_there_is_right_wherever_the_ideal_lies() -> None:
    """Of a spy whose score rises on the way to the ideal, what lies below it is still there."""
    (row,) = rows([signal("margin_auc", "outputs", 0.30, 0.40, 0.60)])
    assert row.at(0.30) > row.at(0.40) > 0
    assert row.reading == "still there"
    (past,) = rows([signal("margin_auc", "outputs", 0.30, 0.80, 0.60)])
    assert past.at(0.80) < 0
    assert past.reading == "forgotten too much"


def test_damage_is_read_from_the_number_itself() -> None:
    row = rows()[-1]
    assert row.at(0.86) < 0
    assert row.reading == "worse than the ideal"
    only_kept = [s for s in SILENCED if s.name != "retained_test_accuracy"]
    only_kept.append(signal("retained_test_accuracy", "damage", 0.88, 0.88, 0.88, 0.01))
    assert rows(only_kept)[-1].label == "Right about the photos to keep"


def test_the_takeaway_says_what_the_rows_show() -> None:
    assert words.takeaway(rows()) == (
        "**Still there:** what it recognises inside (6.9 points from the ideal). "
        "**At the ideal:** what the spy sees and what it says. "
        "**The price:** 2.0 points less often right on the rest than the ideal."
    )
    unsure = [signal("margin_auc", "outputs", 0.6, 0.51, 0.50, half=0.2)]
    assert words.takeaway(rows(unsure)) == "**Nobody can tell:** what the spy sees."
    past = [signal("forget_accuracy", "answers", 0.99, 0.5, 0.87, 0.01)]
    assert "**Past the ideal:** what it says (37.0 points from" in words.takeaway(rows(past))
    assert words.takeaway([]) == "Nothing has been asked yet."


def test_a_row_says_its_numbers_that_it_estimates_and_that_it_cannot_tell() -> None:
    assert [row.numbers for row in rows()] == [
        "50.0 % · ideal 49.0",
        "0.0 % · ideal 0.0",
        "+7.3 points · ideal +0.4",
        "86.0 % · ideal 88.0",
    ]
    unsure = [signal("margin_auc", "outputs", 0.6, 0.51, 0.50, half=0.2)]
    (row,) = rows(unsure, estimating=True)
    assert row.numbers == "estimating: 51.0 % · ideal 50.0 · cannot tell"
    assert replace(row, now=None).numbers == "asked after the last step"


def test_the_table_has_what_the_strip_shows() -> None:
    found = words.table(rows())
    assert found["now"] == ["50.0 %", "0.0 %", "+7.3 points", "86.0 %"]
    assert found["no difference up to"][2] == "3.0 points"
    assert found["measured as"][2] == "re-head excess"
    assert found["reading"][2] == "still there"


def test_the_chart_shows_before_now_band_and_ideal() -> None:
    spec = strip(rows(), "words")
    data = spec["datasets"]["rows"]
    assert spec["description"] == "words"
    assert spec["height"] == HEADER + 4 * ROW == 260
    inside = data[2]
    assert inside["now"] == pytest.approx(0.069 / 0.15)
    assert inside["before"] == pytest.approx(0.076 / 0.15)
    assert inside["high"] == -inside["low"] == pytest.approx(0.2)
    assert [row["ink"] for row in data] == [INK, INK, FORGET, FORGET]
    kinds = [layer["mark"]["type"] for layer in spec["layer"]]
    assert {"rect", "rule", "point", "text"} <= set(kinds)


def test_an_estimate_is_hollow_and_what_is_not_asked_has_no_mark() -> None:
    found = rows(estimating=True)
    data = strip([found[0], replace(found[2], now=None)], "words")["datasets"]["rows"]
    assert data[0]["fill"] == "transparent"
    assert data[1]["now"] is None


def test_all_text_is_in_the_colour_of_the_text_around_it() -> None:
    spec = strip(rows(), "words")
    texts = [layer["mark"] for layer in spec["layer"] if layer["mark"]["type"] == "text"]
    assert {mark["color"] for mark in texts} == {"currentColor"}
    assert all(mark.get("opacity", 1) == 1 for mark in texts)


def test_strips_are_stacked_by_question_to_one_scale() -> None:
    """Of two runs one row each below a title; what fills the one's half is half of the other's."""
    wide, narrow = (rows([signal("margin_auc", "outputs", x, 0.5, 0.5)])[0] for x in (0.9, 0.7))
    spec = stacked([("Spy", [wide, narrow])], "words")
    data = spec["datasets"]["rows"]
    assert [row["before"] for row in data] == [pytest.approx(1.0), pytest.approx(0.5)]
    assert spec["datasets"]["titles"] == [{"y": 0.5, "title": "Spy"}]
    assert data[1]["y"] - data[0]["y"] == 1
    assert strip(rows(), "words")["datasets"]["titles"] == []  # a template, filled anew each time
