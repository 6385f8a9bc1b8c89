"""The race of the page that compares: its replay by slider and by itself, and what it says."""

from __future__ import annotations

import dataclasses
import time

from core.runs.run import Run
from tests.app import fakes
from tests.app.conftest import Open
from tests.app.drawn import rows
from tests.app.test_front import texts
from ui.charts.race import at as at_moment
from ui.charts.race import course
from ui.wording import race as words
from ui.wording.race import Look, Race, Track

PAGE = "pages/6_Compare.py"
LINK = {"runs": "one,two"}


def two(ship, **fields: object) -> None:
    """One of 20 s, and one that takes twice as long."""
    ship(fakes.run("one"))
    slow = fakes.run("two", fakes.plan(method="neg_grad"))
    looks = tuple(dataclasses.replace(s, seconds=2 * s.seconds) for s in slow.replay)
    ship(dataclasses.replace(slow, replay=looks, **fields))


def looks(*away: float) -> tuple[Look, ...]:
    return tuple(Look(10.0 * i, i, x) for i, x in enumerate(away))


def of(*tracks: tuple[float, ...]) -> Race:
    named = [Track("ABC"[i], f"run {i}", looks(*away)) for i, away in enumerate(tracks)]
    return Race("Spy", 1.0, tuple(named))


def test_the_slider_replays_all_at_the_same_second(open_page: Open, ship) -> None:
    two(ship)
    at = open_page(PAGE, **LINK)
    assert not at.exception
    race = at.get("vega_lite_chart")[1]
    assert len(rows(race, "away")) == 5 + 5
    at.slider(key="race-second").set_value(10.0).run()
    assert not at.exception
    heads = {row["letter"]: row["seconds"] for row in rows(at.get("vega_lite_chart")[1], "letter")}
    assert heads == {"A": 10.0, "B": 10.0}
    assert "After 10 s: **A** is nearest" in texts(at)
    assert "has ended" not in texts(at)
    at.segmented_control(key="race-question").set_value("Useful on the rest").run()
    assert "After 10 s: nobody is ahead." in texts(at)


def test_it_runs_by_itself_and_ends(open_page: Open, ship) -> None:
    two(ship)
    at = open_page(PAGE, **LINK)
    at.button(key="race-play").click().run()
    assert not at.exception
    assert at.session_state["race-playing"]
    assert at.slider(key="race-second").value < 10  # from the start
    at.session_state["race-since"] = (time.monotonic() - 5.0, 0.0)
    at.run()
    assert 19 <= at.slider(key="race-second").value <= 30
    assert at.button(key="race-hold")
    at.session_state["race-since"] = (time.monotonic() - 60.0, 0.0)
    at.run()
    assert not at.exception
    assert not at.session_state["race-playing"]
    assert at.slider(key="race-second").value == 40.0
    assert "A and B have ended." in texts(at)


def test_a_hand_on_the_slider_holds_it(open_page: Open, ship) -> None:
    two(ship)
    at = open_page(PAGE, **LINK)
    at.button(key="race-play").click().run()
    at.slider(key="race-second").set_value(20.0).run()
    assert not at.exception
    assert not at.session_state["race-playing"]
    assert at.slider(key="race-second").value == 20.0


def raced(at) -> bool:
    return any(button.key == "race-play" for button in at.button)


def test_of_three_it_is_opened_by_hand(open_page: Open, ship) -> None:
    two(ship)
    ship(fakes.run("three", fakes.plan(method="ssd")))
    at = open_page(PAGE, runs="one,two,three")
    assert not raced(at)
    assert not at.exception
    at.session_state["race"] = True
    assert raced(at.run())


def test_without_looks_or_an_ideal_there_is_no_race(open_page: Open, ship) -> None:
    two(ship, retrained=None)
    assert not raced(open_page(PAGE, **LINK))
    two(ship)
    bare: Run = dataclasses.replace(fakes.run("two", fakes.plan(method="neg_grad")), replay=())
    ship(bare)
    assert not raced(open_page(PAGE, **LINK))


def test_who_is_ahead_and_who_arrives() -> None:
    race = of((10, 4, 0.5), (10, 0.5, -3), (10, 8, 6))
    assert words.moment(race, 0) == "After 0 s: nobody is ahead."
    assert words.moment(race, 15) == "After 15 s: **B** is nearest, 0.5 points from the ideal."
    assert words.moment(race, 20).endswith("0.5 points from the ideal. A, B and C have ended.")
    assert words.finish(race) == (
        "At the ideal first: **B** in the look after 10 s and **A** in the look after 20 s. "
        "B did not stay there."
    )
    assert words.finish(of((10, 5), (9, 7))).startswith("None of them comes as near")
    assert words.table(race, 10)["points from the ideal"] == [4, 0.5, 8]


def test_the_axes_stand_still_while_the_runs_move() -> None:
    race = of((10, 4, 0.5), (10, 0.5, -3))
    made = course(race).to_dict(validate=False)
    first, last = (at_moment(made, race, s, "words") for s in (0, 20))
    assert first["layer"] == last["layer"]
    assert [len(spec["datasets"]["path"]) for spec in (first, last)] == [2, 6]
    assert race.domain == (-4, 11)
    assert last["description"] == "words"
