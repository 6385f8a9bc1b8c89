"""How it works: five panels whose every number ships, the flip of the spy, and the glossary."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.files import SHIPPED
from core.metrics.measures import Measure
from core.runs.run_files import shipped_runs
from tests.app import fakes
from tests.app.conftest import ROOT, Open
from tests.app.test_front import texts
from ui.screens.how.glossary import columns
from ui.screens.how.panels import NOT_HERE
from ui.wording import glossary, how, terms

PAGE = "pages/9_How_it_works.py"


@pytest.fixture
def three_runs(ship, tmp_path: Path) -> None:
    """The three classic cases, and what was measured of the methods."""
    ship(fakes.run("tenth", fakes.plan(dataset="cifar10")))
    ship(
        fakes.run(
            "clung",
            fakes.plan("memorised:500", dataset="cifar10"),
            retrained=fakes.evaluation(0.02, 0.87, 0.94),
        )
    )
    ship(fakes.class_run("class", "cifar10"))
    rows = (SHIPPED / "methods.json").read_text()
    (tmp_path / "shipped" / "methods.json").write_text(rows)


def test_without_shipped_runs_it_explains_and_shows_no_number(open_page: Open) -> None:
    at = open_page(PAGE)
    assert texts(at).count(NOT_HERE) == 5
    assert not at.get("vega_lite_chart")
    assert not at.metric
    assert len(at.latex) == 5
    assert "%" not in "".join(element.value for element in at.latex)


@pytest.mark.usefixtures("three_runs")
def test_each_panel_has_a_picture_and_one_thing_to_take_away(open_page: Open) -> None:
    at = open_page(PAGE)
    assert NOT_HERE not in texts(at)
    assert len(at.get("vega_lite_chart")) == 5
    assert texts(at).count(":material/lightbulb:") == 5
    for said in (
        "right on 99.0 % of them; one that never saw them is right on 87.0 %",
        "Of the 500 that it clings to most the first is right on 99.0 %, the other on 2.0 %",
        "so that, and not 0, is the aim",
        "By its answers and losses the masked network is 0.1 points from the ideal",
    ):
        assert said in texts(at)


@pytest.mark.usefixtures("three_runs")
def test_the_plain_spy_flips_to_the_fair_one(open_page: Open) -> None:
    at = open_page(PAGE)
    assert at.metric[0].value == "96.0 %"
    assert "It found no leak" in texts(at)
    at.segmented_control(key="how-question").set_value(True).run()
    assert at.metric[0].value == "50.0 %"
    assert "no better than a coin flip" in texts(at)
    assert "96.0 % became 50.0 %" in texts(at)


@pytest.mark.usefixtures("three_runs")
def test_what_cannot_be_read_is_one_sentence(open_page: Open, tmp_path: Path) -> None:
    (tmp_path / "shipped" / "methods.json").write_text("{")
    (tmp_path / "shipped" / "runs" / "class.npz").write_bytes(b"no arrays")
    at = open_page(PAGE)
    assert len(at.error) >= 2
    assert "Recognised inside" in texts(at)  # the glossary still stands


def test_the_shipped_runs_say_what_the_story_needs() -> None:
    """On the real runs: heart and rules apart, a trick that fools, 93 that becomes 50, and more
    left inside than in the ideal."""
    runs = {run.plan.request.kind: run for run in shipped_runs(SHIPPED / "runs")}
    rows = json.loads((SHIPPED / "methods.json").read_text())
    assert "Those it knows by heart" in how.memorise(runs["random"], runs["memorised"])
    assert "training anew" in how.request(runs["random"], "Fine-tuning", rows)
    case = [row for row in rows if row["case"] == "class:automobile"]
    assert "surely nearer than a trick that forgets nothing" in how.shortcut(case)
    assert "in the ideal." in how.inside(runs["classes"])
    ideal = runs["classes"].metrics["retrained"]
    plain, fair = (Measure.from_dict(ideal[name]) for name in ("mia", "mia_class_matched"))
    assert plain.value > 0.9
    assert "no better than a coin flip" in how.spy(plain, fair, True)
    assert how.memorise(None, None) == how.inside(None) == how.spy(None, None, True) == ""


def test_the_glossary_explains_each_term_once(open_page: Open) -> None:
    entries = glossary.ENTRIES
    assert len({entry.anchor for entry in entries}) == len(entries)
    assert len({entry.text for entry in entries}) == len(entries)
    assert all(entry.text for entry in entries)
    at = open_page(PAGE)
    shown = [element.value for element in at.markdown]
    for entry in entries:
        assert shown.count(f"###### {entry.term}") == 1
    assert glossary.address("The ideal") == "How_it_works#the-ideal"
    assert texts(at).count(terms.sentence("re_head")) == 1
    with pytest.raises(KeyError):
        glossary.address("no such term")


def test_it_imports_neither_torch_nor_sklearn(tmp_path: Path) -> None:
    code = (
        "import sys; from streamlit.testing.v1 import AppTest;"
        "at = AppTest.from_file('app.py', default_timeout=60);"
        f"at.switch_page('{PAGE}').run();"
        "assert not at.exception, at.exception;"
        "assert at.title[0].value == 'How it works';"
        "print([m for m in ('torch', 'sklearn', 'torchvision') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "FORGETTING_LAB_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_the_glossary_s_columns_are_alike_and_in_order() -> None:
    found = columns(glossary.ENTRIES, 4)
    assert [entry for column in found for entry in column] == list(glossary.ENTRIES)
    sizes = [sum(80 + len(entry.field + entry.text) for entry in column) for column in found]
    assert max(sizes) < 1.5 * min(sizes)
