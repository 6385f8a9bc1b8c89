"""The page that compares: empty, one, two, and a link that names nobody's run."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.metrics.differences import difference
from core.metrics.measures import Measure, share_of
from core.metrics.seeds import mean_evaluation, mean_of
from core.unlearners import METHODS
from tests.app import fakes
from tests.app.conftest import ROOT, Open
from tests.app.drawn import rows
from tests.app.test_front import texts
from ui.charts import palette
from ui.wording import comparison, titles

PAGE = "pages/6_Compare.py"


def test_empty_says_what_to_do(open_page: Open) -> None:
    at = open_page(PAGE)
    assert "No run has finished yet" in texts(at)
    assert at.button(key="to-choose")


def test_table_lists_own_and_shipped_runs_of_one_forget_set(open_page: Open, ship, keep) -> None:
    ship(fakes.run("shipped"))
    keep(fakes.run("mine", fakes.plan(method="neg_grad")))
    keep(fakes.run("other", fakes.plan("class:1")))
    at = open_page(PAGE, runs="shipped")
    table = at.dataframe[0].value
    assert list(table["method"]) == [METHODS[name].label for name in ("neg_grad", "fine_tune")]
    assert table["spy"].between(1, 100).all()  # percent
    assert "Tick two or more" in texts(at)
    assert len(at.selectbox(key="compare-set").options) == 2
    other = ["class 1" in said for said in at.selectbox(key="compare-set").options].index(True)
    at.selectbox(key="compare-set").select_index(other).run()
    assert not at.exception
    assert len(at.dataframe[0].value) == 1


def test_a_link_stacks_the_strips_of_two_runs(open_page: Open, ship) -> None:
    ship(fakes.run("one"))
    ship(fakes.run("two", fakes.plan(method="neg_grad"), after={"forget": 0.95}))
    at = open_page(PAGE, runs="two,one")
    assert not at.exception
    chart, _ = at.get("vega_lite_chart")  # the strips, and the race
    assert [row["label"] for row in rows(chart, "label")[:2]] == [
        f"A: {METHODS['neg_grad'].label}",
        "B: Fine-tune",
    ]
    assert [row["title"].split(" (")[0] for row in rows(chart, "title")] == [
        "Spy",
        "Right about the forgotten photos",
        "Recognised inside",
        "Useful on the rest",
    ]
    assert "Nearest to the ideal: B on " in texts(at)
    assert at.query_params["runs"] == "two,one"
    assert len(at.get("download_button")) == 1
    at.session_state["compare-losses"] = True
    at.run()
    specs = [json.loads(chart.proto.spec) for chart in at.get("vega_lite_chart")][2:]
    colors = [spec["layer"][1]["encoding"]["color"]["scale"] for spec in specs]
    assert colors[0]["range"] == [palette.FORGET] * 2
    assert colors[1]["range"] == [palette.TEST] * 2
    assert colors[0]["domain"] == [f"A: {METHODS['neg_grad'].label}", "B: Fine-tune"]


def test_all_runs_of_a_question_are_asked_the_same() -> None:
    """The one has lost some of what it was to keep, the other of new images, and more."""
    kept, new = (
        fakes.run(id, after={"test": test}) for id, test in (("kept", 0.869), ("new", 0.70))
    )
    measures = {**kept.after.measures, "retain_accuracy": Measure(0.9, 0.89, 0.91, 45_000)}
    kept = dataclasses.replace(kept, after=dataclasses.replace(kept.after, measures=measures))
    two = [comparison.Entrant("x", (kept,)), comparison.Entrant("y", (new,))]
    damage = comparison.questions(two)[-1]
    assert damage.title.startswith("Useful on the rest (retained test accuracy)")
    assert [row.now for row in damage.rows.values()] == [0.869, 0.70]
    assert damage.nearest == "A"


def test_three_runs_stand_beside_each_other(open_page: Open, ship) -> None:
    for rate in (1, 2, 3):
        ship(settings_of(f"run-{rate}", learning_rate=rate / 10))
    at = open_page(PAGE, runs="run-1,run-2,run-3")
    assert not at.exception
    assert {"show-A", "show-B", "show-C"} <= {b.key for b in at.button}
    assert "##### C: Fine-tune (learning rate 0.3)" in texts(at)
    assert "On none of 4 questions can the photos tell" in texts(at)  # they are alike


def test_seeds_of_one_plan_are_one_row_with_a_dot_each(open_page: Open, ship) -> None:
    for seed, forget in enumerate((0.87, 0.88, 0.92)):
        ship(dataclasses.replace(settings_of(f"run-{seed}", seed), after=spied(forget)))
    ship(fakes.run("other", fakes.plan(method="neg_grad"), after={"forget": 0.95}))
    at = open_page(PAGE, runs="run-0,run-1,run-2,other")
    assert not at.exception
    strips = at.get("vega_lite_chart")[0]
    says = rows(strips, "numbers")[2]
    assert says["label"] == "A: Fine-tune, 3 seeds"
    assert says["numbers"] == "89.0 % · ideal 87.0 · 3 seeds"
    assert len(rows(strips, "seed")) == 4 * 3
    assert "seed 2: partly forgotten" in texts(at)
    assert {"show-A-run-0", "show-A-run-2", "show-B"} <= {b.key for b in at.button}
    alone = open_page(PAGE, runs="run-0,run-1,run-2")
    assert "they lie furthest apart on “right about the forgotten photos”, 5.0 points" in texts(
        alone
    )


def spied(forget: float):
    return fakes.evaluation(forget, 0.866, 0.506)


def test_a_mean_over_seeds_is_paired_image_by_image() -> None:
    right = [np.arange(100) < n for n in (80, 90)]
    mean = mean_of([share_of(each) for each in right])
    assert mean.value == pytest.approx(0.85)
    assert mean.n == 100
    assert mean.each[0].mean() == pytest.approx(0.85)
    apart, paired = difference(mean, share_of(right[1]))
    assert paired
    assert apart.value == pytest.approx(-0.05)
    assert mean_of([share_of(right[0]), share_of(right[0][1:])]).each == ()  # other images
    first, second = fakes.evaluation(0.9), fakes.evaluation(0.8)
    assert mean_evaluation([first, second])["forget_accuracy"].value == pytest.approx(0.85)
    assert mean_evaluation([first]) is first


def test_other_forget_sets_are_warned_about(open_page: Open, ship) -> None:
    ship(fakes.run("one"))
    ship(fakes.class_run("two"))
    at = open_page(PAGE, runs="one,two")
    assert "forgot different images" in texts(at)
    assert "Tick one more run" in texts(at)


def test_unknown_runs_are_said(open_page: Open, ship) -> None:
    ship(fakes.run("one"))
    at = open_page(PAGE, runs="one,nobody,../x")
    assert "There is no finished run 'nobody'" in texts(at)
    assert "cannot be one" in texts(at)
    assert "Tick one more run" in texts(at)


def settings_of(id: str, seed: int = 0, method: str = "fine_tune", **settings: float):
    plan = dataclasses.replace(fakes.plan(method=method), settings=settings, seed=seed)
    return fakes.run(id, plan, settings={"epochs": 1.0, **settings})


def test_two_runs_of_one_method_are_named_by_what_they_differ_in(open_page: Open, ship) -> None:
    ship(settings_of("one", learning_rate=0.3))
    ship(settings_of("two", learning_rate=0.13))
    at = open_page(PAGE, runs="one,two")
    assert not at.exception
    said = texts(at)
    assert "##### A: Fine-tune (learning rate 0.3)" in said
    assert "##### B: Fine-tune (learning rate 0.13)" in said
    shown = rows(at.get("vega_lite_chart")[0], "label")
    assert shown[0]["label"] == "A: Fine-tune (learning rate 0.3)"
    assert set(at.dataframe[0].value["differs in"]) == {"learning rate 0.3", "learning rate 0.13"}


def test_what_runs_differ_in() -> None:
    def of(*runs):
        return titles.differences([run.plan for run in runs], [run.settings for run in runs])

    rate, other = settings_of("a", learning_rate=0.3), settings_of("b", learning_rate=0.1)
    assert of(rate, other) == ["learning rate 0.3", "learning rate 0.1"]
    assert of(rate, settings_of("b", 7, learning_rate=0.3)) == ["seed 0", "seed 7"]
    assert of(rate, settings_of("b", 7, epochs=2, learning_rate=0.1)) == [
        "epochs 1, learning rate 0.3, seed 0",
        "epochs 2, learning rate 0.1, seed 7",
    ]
    assert of(rate, settings_of("b", 1, "neg_grad", learning_rate=0.1)) == ["", ""]
    assert of(rate, rate) == ["", ""]
    assert of(rate, settings_of("b")) == ["learning rate 0.3", "learning rate not set"]
    assert of(rate, fakes.run("c", fakes.plan("class:1"))) == ["", ""]  # another forget set


def test_older_runs_come_when_asked_for_and_linked_ones_at_once(open_page: Open, keep) -> None:
    for i in range(3):
        keep(fakes.run(f"run-{i}", created=f"2026-11-2{i}T06:00:00+00:00"))
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=240)
    at.session_state["compare-rows"] = 1
    at.switch_page("pages/6_Compare.py")
    at.query_params["runs"] = "run-0"
    at.run()
    assert not at.exception
    assert list(at.dataframe[0].value["started"]) == ["2026-11-22 06:00", "2026-11-20 06:00"]
    assert at.session_state["compare"] == ["run-0"]
    at.button(key="older").click().run()
    assert not at.exception
    assert len(at.dataframe[0].value) == 3
    assert at.session_state["compare"] == ["run-0"]
    assert "older" not in {b.key for b in at.button}
