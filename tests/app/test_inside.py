"""The page that looks inside: no run, one under way, one that failed, one whose network is not
kept, and one that can be looked into; and what its sentences say of numbers that are known."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import core.runs.inside
from core.errors import CheckpointMissing
from core.inside.found import Inside
from tests.app import fakes
from tests.app.conftest import Open
from tests.app.test_front import texts
from ui.charts.depths import Spot, marks
from ui.charts.plane import plane
from ui.services import jobs
from ui.wording import inside as words
from ui.wording import inside_photos

PAGE = "pages/3_Inside.py"
DEPTHS = ("stem", "block 1a", "features", "answer")
NAMES = tuple("0123456789")


def found(away: tuple[float, ...] = (0, 0.01, 0.1, 0.08), **fields: object) -> Inside:
    """A look at twelve photos of digits, at four depths. away: what is known beyond the ideal."""
    draw = np.random.default_rng(0)
    of_depths = np.stack([np.array(away), np.array(away) - 0.02, np.array(away) + 0.02], axis=1)
    share = np.full((3, 12, 10), 0.01)
    share[:, :, 4] = 0.91
    counts = np.tile(100 * np.eye(10, dtype=np.int64), (3, 2, 1, 1))
    counts[1, :, 1, 1:3] = 10, 90
    counts[2, :, 1, 1:3] = 30, 70
    values = {
        "depths": np.array(DEPTHS),
        "whole": False,
        "judged": 800,
        "networks": 1,
        "excess": np.stack([of_depths + 0.2, of_depths + 0.1, 0 * of_depths + 0.1]),
        "right": np.full((3, 4, 2), 0.9),
        "away": np.stack([of_depths + 0.1, of_depths]),
        "alike": np.linspace(0.4, 0.9, 24).reshape(3, 2, 4),
        "moved": np.array([0, 0, 0, 0.25]),
        "share": np.full(4, 0.4),
        "places": draw.normal(size=(3, 4, 12, 2)).astype(np.float32),
        "photo_sets": np.repeat([0, 1, 2], 4).astype(np.int8),
        "photos": np.arange(12),
        "labels": np.full(12, 4),
        "probabilities": share.astype(np.float32),
        "named": np.repeat([1, -1, -1], 4).astype(np.int8) * np.ones((3, 4, 1), np.int8),
        "confusions": counts,
    }
    return Inside(**{**values, **fields})


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> list[Inside]:
    """What a look finds; empty: the network is not kept."""
    there = [found()]

    def subject(run: object, data: object) -> object:
        if not there:
            raise CheckpointMissing(
                "Of this run the numbers are kept, and not the network it left."
            )
        return SimpleNamespace(found=lambda: there[0])

    monkeypatch.setattr(core.runs.inside, "subject_of", subject)
    return there


def test_without_any_run_it_says_what_to_do(open_page: Open) -> None:
    at = open_page(PAGE)
    assert "No run has finished yet" in texts(at)
    assert at.button(key="to-choose")


def test_a_run_is_chosen_where_there_are_some(open_page: Open, ship, look) -> None:
    ship(fakes.run("one"))
    at = open_page(PAGE)
    at.button(key="look").click().run()
    assert not at.exception
    assert at.query_params["run"] == "one"
    assert "The memory sits" in texts(at)


def test_a_run_under_way_has_no_inside_yet(open_page: Open, runner) -> None:
    jobs.queue()
    job = jobs.submit(fakes.plan(), "a" * 24)
    at = open_page(PAGE, run=job.id)
    assert "not done yet" in texts(at)
    assert at.button(key="to-run")


def test_a_failed_run_left_nothing(open_page: Open, keep) -> None:
    keep(dataclasses.replace(fakes.run("bad"), status="failed", after=None, error="Diverged."))
    at = open_page(PAGE, run="bad")
    assert "left no network" in texts(at)
    assert not at.get("vega_lite_chart")


def test_an_unknown_run_is_said(open_page: Open) -> None:
    assert "There is no run" in texts(open_page(PAGE, run="nobody"))


def test_a_run_whose_network_is_not_kept_can_be_made_again(open_page: Open, ship, look) -> None:
    look.clear()
    ship(fakes.run("old"))
    at = open_page(PAGE, run="old")
    assert "not the network it left. Only the newest" in texts(at)
    look.append(found())
    assert "The memory sits" in texts(at.run())  # nothing remembers that it was not there
    look.clear()
    st.cache_resource.clear()
    at.run()
    assert "it took 21 s" in texts(at)
    at.button(key="set-up-again").click().run()
    assert not at.exception
    assert at.session_state["draft"].method == "fine_tune"
    assert at.session_state["run"] is None


def specs(at: AppTest) -> list[dict]:
    return [json.loads(chart.proto.spec) for chart in at.get("vega_lite_chart")]


def test_all_of_it_is_drawn_and_the_slider_moves_it(open_page: Open, ship, look) -> None:
    ship(fakes.run("one"))
    at = open_page(PAGE, run="one")
    assert "**The memory sits from *features* on.**" in texts(at)
    assert "Only the weights of *answer* have moved" in texts(at)
    assert "**1** is called *2* in 90.0 % of cases (0.0 % before; the ideal 70.0 %)" in texts(at)
    assert "before it says **4** (91.0 % sure), and a read-out is right" in texts(at).lower()
    first = specs(at)
    assert len(first) == 6
    named = [chart.proto.alt for chart in at.get("vega_lite_chart")]
    assert all(name and "*" not in name for name in named)
    at.select_slider[0].set_value("stem").run()
    assert not at.exception
    assert "At *stem*" in texts(at)
    assert specs(at)[3] != first[3]
    assert specs(at)[4:] == first[4:]  # the answers have no depth


def test_without_an_ideal_it_says_so(open_page: Open, ship, look) -> None:
    nan = float("nan")
    at_first = look[0]
    gone = {name: getattr(at_first, name).copy() for name in ("excess", "right", "places")}
    for values in gone.values():
        values[2] = nan
    alike = at_first.alike.copy()
    alike[:2] = nan
    away, counts = 0 * at_first.away + nan, at_first.confusions.copy()
    counts[2] = 0
    look[0] = dataclasses.replace(
        at_first, **gone, alike=alike, away=away, confusions=counts, networks=0
    )
    ship(fakes.run("one"))
    at = open_page(PAGE, run="one")
    assert not at.exception
    assert "it is not known how much of this is memory" in texts(at)
    assert len(specs(at)) == 5


@pytest.mark.parametrize(
    ("away", "said"),
    [
        ((0, 0.01, 0.1, 0.08), "from *features* on.** Most of it at *features*"),
        ((0, 0.0, 0.1, 0.01), "at *features*.**"),
        ((0, 0.06, 0.1, 0.01), "from *block 1a* to *features*, and the answer does not let on.**"),
        ((0.06, 0.06, 0.1, 0.07), "at every depth.**"),
        ((0.0, 0.01, -0.01, 0.02), "**No depth knows more than the ideal does.**"),
        ((0.0, 0.01, -0.2, 0.02), "and *features* knows less."),
        ((0.0, 0.06, -0.2, 0.06), "at *block 1a* and *answer*.**"),
    ],
)
def test_where_the_memory_sits(away: tuple[float, ...], said: str) -> None:
    assert said in words.memory(found(away))


def test_a_coarse_look_cannot_tell() -> None:
    look = found((0, 0, 0, 0.01))
    look.away[1, :, 1:] = [-0.1, 0.1]
    assert words.places(look) == ["cannot tell"] * 4
    look.away[1, 3] = 0.06, 0.01, 0.11  # alone it would tell; among four it may be chance
    assert words.places(look)[3] == "cannot tell"
    look.away[1, 3] = 0.0, -0.1, 0.1
    assert "800 photos cannot rule it out" in words.memory(look)


def test_how_far_the_photos_have_moved() -> None:
    look = found()
    kept = look.photo_sets == 2
    look.places[1] = look.places[0] + np.where(kept, 1, 3)[:, None]
    look.places[2] = look.places[0] + np.where(kept, 1, 2)[:, None]
    said = inside_photos.plane(look, 0)
    assert "a forgotten photo has moved 3.0 times as far as a kept one" in said
    assert "in the ideal it lies 2.0 times as far as a kept one from its old place" in said
    look.places[1] = look.places[0] + 1
    assert "has moved about as far as a kept one" in inside_photos.plane(look, 0)
    look.places[1] = look.places[0]
    assert "no photo has moved" in inside_photos.plane(look, 0)


def test_the_band_and_the_marks_of_a_depth() -> None:
    spots = [Spot("stem", 0.1, 0.0), Spot("answer", 0.3, 0.2, 0.1, 0.25, news=True)]
    spec = marks(spots, "answer", "points", (-0.4, 0.4), "words", 0.03).to_dict()
    assert spec["description"] == "words"
    rows = [r for data in spec["datasets"].values() for r in data if "before" in r]
    assert [row["ink"] for row in rows] == ["currentColor", "#D55E00"]
    assert any(r.get("high") == 0.03 for data in spec["datasets"].values() for r in data)
    assert all(
        layer["encoding"]["x"]["scale"]["domain"] == [-0.4, 0.4]
        for layer in spec["layer"]
        if "x" in layer["encoding"]
    )


def test_a_photo_has_its_place_in_each_panel() -> None:
    places = {name: found().places[i, 0] for i, name in enumerate(("Before", "Now", "Ideal"))}
    sets = ["forgotten"] * 6 + ["kept"] * 6
    spec = plane(places, sets, list(map(str, range(12))), ["p"] * 12, 3, np.ones(12, bool), "words")
    spec = spec.to_dict()
    rows = max(spec["datasets"].values(), key=len)
    assert len(rows) == 36
    for row in rows:
        assert row["number"] < row["x"] < row["number"] + 1
    assert {param["name"] for param in spec["params"]} == {"hover", "picked"}
    few = plane(places, sets, ["a"] * 12, ["p"] * 12, 3, np.arange(12) < 2, "words").to_dict()
    drawn = [rows for rows in few["datasets"].values() if "number" in rows[0]]
    assert {row["id"] for rows in drawn for row in rows} == {0, 1, 3}
