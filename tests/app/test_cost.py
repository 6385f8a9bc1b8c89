"""The page of costs: no run, one of unknown distance, several, and what its sentences say."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from core.data.load import load_dataset
from core.errors import BadRequest
from core.metrics.average_gap import Gap
from core.metrics.measures import Measure, share_of
from core.runs.by_class import by_class
from core.runs.run import Run
from core.runs.verdicts import verdict_of
from core.unlearners import METHODS
from tests.app import fakes
from tests.app.conftest import Open
from tests.app.drawn import rows
from tests.app.test_front import texts
from ui.charts.costs import costs as chart
from ui.services import shipped
from ui.wording import cost as words
from ui.wording.cost import Cost

PAGE = "pages/4_What_did_it_cost.py"


def priced(id: str, method: str, seconds: float, gap: float, **after: object) -> Run:
    """A run of a class that took so long and ended so many points from the ideal."""
    run = fakes.run(id, fakes.plan("class:1", method), after=after or None)
    measures = {
        **run.after.measures,
        "average_gap": Measure(gap / 100, max(0, gap - 0.5) / 100, (gap + 0.5) / 100, 1000),
    }
    made = dataclasses.replace(run.after, measures=measures)
    return dataclasses.replace(run, after=made, seconds={"unlearning": seconds, "measuring": 4.0})


def cost(name: str, seconds: float, points: float, kind: str = "no verdict", **more: object):
    gap = Gap(points, max(0.0, points - 0.3), points + 0.3)
    return Cost(name, name, name, seconds, gap, kind, None, name, "Forgotten.", **more)


def test_without_any_run_it_says_what_to_do(open_page: Open) -> None:
    at = open_page(PAGE)
    assert "No run has finished yet" in texts(at)
    assert at.button(key="to-choose")


def test_runs_whose_distance_is_not_known_say_why(open_page: Open, ship) -> None:
    ship(fakes.run("one"))
    at = open_page(PAGE)
    assert "Of none of these runs is it known how far" in texts(at)
    assert not at.get("vega_lite_chart")


def test_a_run_that_cannot_be_read_is_said_and_the_others_stand(
    open_page: Open, ship, tmp_path
) -> None:
    ship(priced("good", "fine_tune", 20.0, 2.0))
    ship(priced("bad", "neg_grad", 10.0, 3.0))
    (tmp_path / "shipped" / "runs" / "bad.npz").write_bytes(b"nothing")
    at = open_page(PAGE)
    assert len(at.error) == 1
    assert [row["key"] for row in rows(at.get("vega_lite_chart")[0], "key")] == ["good"]


def test_the_slider_picks_the_nearest_that_one_can_afford(open_page: Open, ship) -> None:
    ship(priced("fast", "neg_grad", 3.0, 4.0, forget=0.95))
    ship(priced("slow", "fine_tune", 50.0, 1.0))
    ship(priced("broken", "ssd", 20.0, 6.0, test=0.80))
    at = open_page(PAGE)
    assert not at.exception
    drawn = {row["key"]: row for row in rows(at.get("vega_lite_chart")[0], "key")}
    assert {key: row["bought"] for key, row in drawn.items()} == {
        "fast": "still there",
        "slow": "like the ideal inside",
        "broken": "damaged",
    }
    assert max(drawn, key=lambda key: drawn[key]["size"]) == "slow"
    assert "To forget inside as well took 50 s" in texts(at)
    assert "1 of 3 damaged the rest." in texts(at)
    assert "**Fine-tune** comes nearest to the ideal: 1.0 points away" in texts(at)
    at.select_slider(key="cost-seconds").set_value(5.0).run()
    assert not at.exception
    label = METHODS["neg_grad"].label
    assert f"Within 5 s **{label}** comes nearest" in texts(at)
    assert "The next that comes nearer, Fine-tune, took 50 s." in texts(at)
    assert at.query_params["run"] == "fast"
    at.button(key="show-run").click().run()
    assert at.session_state["run"] == "fast"


def test_what_the_makers_measured_stands_beside_a_run_and_can_be_run(open_page: Open, ship) -> None:
    made = priced("one", "fine_tune", 60.0, 2.0)
    plan = fakes.plan("class:automobile", dataset="cifar10")
    ship(dataclasses.replace(made, plan=plan))
    row = {
        "case": "class:automobile", "low": 0.1, "high": 0.9, "seeds": 1, "tied": True,
        "control": "", "no_nearer_than": "", "attack": 0.5, "forget_accuracy": 0.0,
        "retained_test_accuracy": 0.88,
    }  # fmt: skip
    measured = [
        {**row, "method": "newton_head", "gap": 0.25, "seconds": 3.0, "share": 0.002},
        {**row, "method": "fine_tune", "gap": 1.9, "seconds": 90.0, "share": 0.07},
        {**row, "method": "retrain", "gap": 0.06, "seconds": 1290.0, "share": 1.0},
        {**row, "method": "mask", "gap": 0.1, "seconds": 0.0, "share": 0.0, "control": "masking"},
    ]
    (shipped.SHIPPED / "methods.json").write_text(json.dumps(measured))
    at = open_page(PAGE)
    assert not at.exception
    drawn = {row["key"]: row["bought"] for row in rows(at.get("vega_lite_chart")[0], "key")}
    assert drawn == {
        "one": "like the ideal inside",
        "measured newton_head": "no verdict",
        "measured retrain": "no verdict",
    }
    assert at.select_slider(key="cost-seconds").value == 60.0  # of the slowest but retraining
    at.select_slider(key="cost-seconds").set_value(5.0).run()
    assert "0.2 % of the time that retraining takes" in texts(at)
    assert "it has no verdict" in texts(at)
    at.button(key="run-it").click().run()
    draft = at.session_state["draft"]
    assert (draft.method, draft.dataset, draft.request) == (
        "newton_head",
        "cifar10",
        plan.request,
    )


def test_classes_stand_before_now_and_ideal(open_page: Open, keep) -> None:
    data = load_dataset("digits")
    labels = data.test_labels.numpy()
    right = np.ones(len(labels), bool)
    worse = right & (labels != 7)
    run = priced("mine", "fine_tune", 20.0, 2.0)

    def answers(model: str, known: np.ndarray):
        found = getattr(run, model)
        return dataclasses.replace(
            found, measures={**found.measures, "test_accuracy": share_of(known)}
        )

    run = dataclasses.replace(
        run,
        before=answers("before", right),
        after=answers("after", worse),
        retrained=answers("retrained", right & (labels != 1)),
    )
    keep(run)
    at = open_page(PAGE)
    assert not at.exception
    shown = {row["class"]: row for row in rows(at.get("vega_lite_chart")[1], "class")}
    assert (shown["7"]["before"], shown["7"]["now"], shown["7"]["ideal"]) == (1.0, 0.0, 1.0)
    assert "Surely less often right than the ideal about **7** (100.0 points)." in texts(at)
    found = by_class(run, labels, data.class_names, data.fingerprint)
    assert [c.name for c in found if c.forgotten] == ["1"]
    assert [c.name for c in found if c.lost] == ["7"]
    with pytest.raises(BadRequest, match="image by image"):
        by_class(run, labels[1:], data.class_names, data.fingerprint)
    strange = dataclasses.replace(run, data={"fingerprint": "x"})
    with pytest.raises(BadRequest, match="not those"):
        by_class(strange, labels, data.class_names, data.fingerprint)


def test_a_class_is_named_only_where_chance_would_not_name_it() -> None:
    """Of ten classes one with an interval that just leaves out 0 is none."""
    labels = np.repeat(np.arange(10), 100)
    ideal = np.ones(1000, bool)
    now = ideal.copy()
    now[:6] = False  # 6 of 100: alone it would tell (-11 to -1 points)
    run = fakes.run()

    def with_answers(right: np.ndarray):
        return dataclasses.replace(run.after, measures={"test_accuracy": share_of(right)})

    run = dataclasses.replace(
        run,
        before=with_answers(ideal),
        after=with_answers(now),
        retrained=with_answers(ideal),
    )
    found = by_class(run, labels, list("0123456789"), "")
    assert not any(c.lost for c in found)
    assert found[0].apart.value == pytest.approx(-0.06)
    assert "Of none of the 10 classes" in words.classes(found)


def test_what_a_verdict_has_bought() -> None:
    def of(**after: object) -> str:
        return words.bought(verdict_of(fakes.run(after=after)))

    assert words.bought(None) == "no verdict"
    assert of() == "like the ideal inside"
    assert of(forget=0.985) == "still there"
    assert of(forget=0.80) == "forgotten too much"
    assert of(test=0.80) == "damaged"


def test_the_frontier_has_nothing_that_is_slower_and_farther() -> None:
    found = [cost("a", 3, 4.0), cost("b", 10, 5.0), cost("c", 20, 1.0), cost("d", 20, 0.9)]
    assert [c.name for c in words.frontier(found)] == ["a", "d"]
    assert words.nearest(found, 2) is None
    assert words.nearest(found, 19).name == "a"
    assert words.afford(found, 2).startswith("Within 2 s nothing here is done: the fastest, a,")
    close = [cost("near", 50, 1.0), cost("quick", 3, 1.2)]
    assert "cannot tell it from one faster one: quick, 3 s." in words.afford(close, 60)


def test_what_seconds_buy() -> None:
    silent = cost("mask", 0.1, 0.1, "only silenced")
    assert words.takeaway([silent]) == "The one run here took 1 s. Forgotten."
    broken = cost("bad", 20, 5.0, "damaged")
    assert words.takeaway([silent, broken]) == (
        "To be silenced only took 1 s (mask). None of the 2 runs here forgot inside as well and "
        "left the rest unharmed. 1 of 2 damaged the rest."
    )
    whole = words.takeaway([silent, cost("good", 51, 0.9, "like the ideal inside")])
    assert whole.endswith("To forget inside as well took 51 s (good).")


def test_hollow_and_filled_are_told_apart() -> None:
    found = [
        cost("good", 50, 1.0, "like the ideal inside"),
        cost("mute", 3, 0.2, "only silenced"),
        cost("broken", 20, 5.0, "damaged"),
    ]
    spec = chart(found, "mute", 10, "words", 0.5, 1300).to_dict()
    points = next(layer for layer in spec["layer"] if "fill" in layer["encoding"])
    fill, shape = (points["encoding"][name]["scale"] for name in ("fill", "shape"))
    kinds = dict(zip(fill["domain"], zip(fill["range"], shape["range"], strict=True), strict=True))
    assert kinds["only silenced"] == ("transparent", "circle")
    assert kinds["like the ideal inside"] == ("currentColor", "circle")
    assert kinds["damaged"][1] == "cross"
    assert spec["description"] == "words"
    assert spec["height"] >= 260
