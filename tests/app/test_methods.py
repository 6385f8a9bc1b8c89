"""The page of all methods."""

from __future__ import annotations

import json

import pytest

from core.unlearners import METHODS
from tests.app.conftest import Open
from tests.app.test_front import texts
from ui.services import shipped

PAGE = "pages/4_Methods.py"


def test_every_method_is_there_and_can_be_taken(open_page: Open) -> None:
    at = open_page(PAGE)
    for name, method in METHODS.items():
        assert f"**{method.label}.**" in texts(at)
        assert at.button(key=f"use-{name}")
    assert "Measured on CIFAR-10" not in texts(at)
    at.button(key="use-neg_grad").click().run()
    assert not at.exception
    assert at.session_state["draft"].method == "neg_grad"


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


def write(*rows: dict[str, object]) -> None:
    shipped.SHIPPED.mkdir(parents=True)
    (shipped.SHIPPED / "methods.json").write_text(json.dumps(rows))


def test_what_was_measured(open_page: Open) -> None:
    write(
        row("neg_grad", 5.5, 12.0),
        row("fine_tune", 1.5, 50.0, tied=True),
        row("retrain", 0.4, 1300.0),
    )
    at = open_page(PAGE)
    assert "Of the 2 faster methods measured here, **Fine-tune** came nearest" in texts(at)
    assert "Retraining once more, from other random weights, ends 0.4 points" in texts(at)
    assert "(95 % interval 0.2 to 0.8)" in texts(at)
    assert "the retrained network: 1.5 points" in texts(at)
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
    at = open_page(PAGE)
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
    said = texts(open_page(PAGE))
    assert "**Faded teacher** came nearest" in said
    assert f"Surely nearer than {divide} (3.9 points), which forgets nothing, is only" in said


@pytest.mark.parametrize("damage", ["{", "[1]", '[{"method": "neg_grad"}]'])
def test_damaged_measurements(open_page: Open, damage: str) -> None:
    shipped.SHIPPED.mkdir(parents=True)
    (shipped.SHIPPED / "methods.json").write_text(damage)
    at = open_page(PAGE)
    assert "cannot be read" in texts(at)
    assert at.button(key="use-neg_grad")
