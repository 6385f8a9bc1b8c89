"""The page of all methods."""

from __future__ import annotations

import json

import pytest

from core.unlearners import METHODS
from tests.app.conftest import Open
from tests.app.test_front import texts
from ui import lab

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


def test_what_was_measured(open_page: Open) -> None:
    row = {"forget_accuracy": 0.9, "retained_test_accuracy": 0.86, "spy": 0.52, "share": 0.06}
    lab.SHIPPED.mkdir(parents=True)
    (lab.SHIPPED / "methods.json").write_text(
        json.dumps(
            [
                {"method": "neg_grad", "case": "random:0.1", "gap": 5.5, "seconds": 12.0, **row},
                {"method": "fine_tune", "case": "random:0.1", "gap": 1.5, "seconds": 50.0, **row},
                {"method": "retrain", "case": "random:0.1", "gap": 0.4, "seconds": 1300.0, **row},
            ]
        )
    )
    at = open_page(PAGE)
    assert "Of the 2 faster methods measured here, **Fine-tune** came nearest" in texts(at)
    assert "Retraining once more, from other random weights, ends 0.4 points" in texts(at)
    assert "the retrained network: 1.5 points" in texts(at)
    assert "Took 12 s for a random tenth on CIFAR-10." in texts(at)


@pytest.mark.parametrize("damage", ["{", "[1]", '[{"method": "neg_grad"}]'])
def test_damaged_measurements(open_page: Open, damage: str) -> None:
    lab.SHIPPED.mkdir(parents=True)
    (lab.SHIPPED / "methods.json").write_text(damage)
    at = open_page(PAGE)
    assert "cannot be read" in texts(at)
    assert at.button(key="use-neg_grad")
