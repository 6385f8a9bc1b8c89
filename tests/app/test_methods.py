"""The page of all methods."""

from __future__ import annotations

import json

import pytest

from core.unlearners import METHODS
from tests.app import fakes
from tests.app.conftest import Open
from tests.app.drawn import rows
from tests.app.test_front import texts
from ui.services import shipped

PAGE = "pages/7_Methods.py"


def test_every_method_is_there_and_can_be_taken(open_page: Open) -> None:
    at = open_page(PAGE)
    box = at.selectbox(key="methods-open")
    assert box.options == [method.label for method in METHODS.values()]
    assert not at.get("vega_lite_chart")  # nothing is measured in this copy
    box.set_value("neg_grad").run()
    assert not at.exception
    assert f"**{METHODS['neg_grad'].label}.** {METHODS['neg_grad'].sentence}" in texts(at)
    at.button(key="use-neg_grad").click().run()
    assert not at.exception
    assert at.session_state["draft"].method == "neg_grad"


def test_filters_leave_what_they_say(open_page: Open) -> None:
    write(row("neg_grad", 5.5, 12.0), row("fine_tune", 1.5, 70.0))
    at = open_page(PAGE)

    def left(*filters: str) -> set[str]:
        at.button_group(key="methods-filters").set_value(list(filters)).run()
        assert not at.exception
        return {box for s in at.selectbox for box in s.options}

    alone = {m.label for m in METHODS.values() if "retain" not in m.needs}
    assert left("alone") == alone
    assert left("fast") == {METHODS["neg_grad"].label}
    assert left("inside") == set()  # nobody has looked inside
    assert "No method is all of that" in texts(at)


def row(method: str, gap: float, seconds: float, **fields: object) -> dict[str, object]:
    numbers = {
        "forget_accuracy": 0.9,
        "retained_test_accuracy": 0.86,
        "attack": 0.52,
        "share": 0.06,
    }
    judged = {"low": gap / 2, "high": gap * 2, "seeds": 1, "tied": False, "no_nearer_than": ""}
    found = {"method": method, "case": "random:0.1", "gap": gap, "seconds": seconds}
    return {**found, **numbers, **judged, "control": "", **fields}


def open_table(open_page: Open):
    """The page with its table open."""
    at = open_page(PAGE)
    at.session_state["methods-table"] = True
    at.run()
    assert not at.exception
    return at


def write(*rows: dict[str, object]) -> None:
    shipped.SHIPPED.mkdir(parents=True, exist_ok=True)
    (shipped.SHIPPED / "methods.json").write_text(json.dumps(rows))


def test_what_was_measured(open_page: Open) -> None:
    write(
        row("neg_grad", 5.5, 12.0),
        row("fine_tune", 1.5, 50.0, tied=True),
        row("retrain", 0.4, 1300.0),
    )
    at = open_table(open_page)
    assert "Of the 2 faster methods measured here, **Fine-tune** came nearest" in texts(at)
    assert "Retraining once more, from other random weights, ends 0.4 points" in texts(at)
    assert "(95 % interval 0.2 to 0.8)" in texts(at)
    assert "the retrained network: 1.5 points" in texts(at)
    at.selectbox(key="methods-open").set_value("neg_grad").run()
    assert "Took 12 s for a random tenth on CIFAR-10." in texts(at)
    assert "half of them took less than 6.0 %" in texts(at)
    assert "it looks at answers and losses only" in texts(at)
    assert list(at.dataframe[0].value["reading"]) == ["", "nearest", ""]


def test_ties_and_controls_are_said(open_page: Open) -> None:
    mask = "masking the class's answer"
    write(
        row("mask", 0.1, 0.0, control=mask),
        row("newton_head", 0.2, 3.0, tied=True, no_nearer_than=mask),
        row("puma", 0.3, 4.0, tied=True, no_nearer_than=mask),
        row("fine_tune", 3.5, 50.0, no_nearer_than=mask),
    )
    at = open_table(open_page)
    said = texts(at)
    assert "**Newton removal (last layer)** and **PUMA" in said
    assert "are tied for nearest: 0.2 to 0.3 points" in said
    assert "came nearest" not in said
    assert f"None of them is surely nearer than {mask} (0.1 points), which forgets nothing" in said
    assert "change the last layer alone" in said
    table = at.dataframe[0].value
    assert table["method"].iloc[0] == f"Control: {mask}"
    assert table["reading"].iloc[0] == "forgets nothing"
    assert table["reading"].iloc[1].startswith("tied for nearest; no nearer than masking")
    assert "tied" not in table["reading"].iloc[3]
    assert table["95 % interval"].iloc[3] == "1.75 to 7.00"


def test_only_some_are_nearer_than_a_trick(open_page: Open) -> None:
    divide = "dividing the logits by 20"
    write(
        row("faded_teacher", 0.9, 50.0, tied=True),
        row("fine_tune", 3.6, 50.0, no_nearer_than=divide),
        row("divide", 3.9, 0.0, control=divide),
    )
    said = texts(open_table(open_page))
    assert "**Faded teacher** came nearest" in said
    assert f"Surely nearer than {divide} (3.9 points), which forgets nothing, is only" in said


@pytest.mark.parametrize("damage", ["{", "[1]", '[{"method": "neg_grad"}]'])
def test_damaged_measurements(open_page: Open, damage: str) -> None:
    shipped.SHIPPED.mkdir(parents=True)
    (shipped.SHIPPED / "methods.json").write_text(damage)
    at = open_page(PAGE)
    assert "cannot be read" in texts(at)
    assert at.selectbox(key="methods-open")


def test_the_cheat_stands_in_the_chart(open_page: Open, ship) -> None:
    """What is inside is read from the shipped run; what changes the last layer alone, and a cheat,
    leave inside what was there before; of the others nobody knows."""
    ship(fakes.class_run("class", "cifar10"))
    mask = "masking the class's answer"
    write(
        *(
            row(name, gap, 9.0, case="class:automobile", control=control)
            for name, gap, control in (
                ("mask", 0.1, mask), ("newton_head", 0.2, ""), ("fine_tune", 1.5, ""),
                ("salun", 2.0, ""),
            )
        ),
        row("retrain", 0.06, 1300.0, case="class:automobile"),
    )  # fmt: skip
    at = open_page(PAGE)
    (chart,) = at.get("vega_lite_chart")
    found = {dot["method"]: dot for dot in rows(chart, "method")}
    # Of the made-up run: before .12 more inside, after -.866 (it is right about none), ideal -.87.
    assert found["mask"]["inside"] == found["newton_head"]["inside"] == pytest.approx(99.0)
    assert found["fine_tune"]["inside"] == pytest.approx(0.4)
    assert found["salun"]["said"] == "inside not measured"
    assert found["mask"]["kind"] == "a cheat"
    assert "Of 3 methods 2 were looked into: 1 leave more" in texts(at)
    assert f"A cheat, {mask}, lies 0.1 points from the ideal outside; no method lies" in texts(at)
    at.button_group(key="methods-filters").set_value(["inside"]).run()
    assert at.selectbox(key="methods-open").options == ["Fine-tune"]
