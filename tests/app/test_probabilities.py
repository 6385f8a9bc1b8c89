"""The page of probabilistic models: empty, done in each way, and with what cannot be."""

from __future__ import annotations

import json
import time

import pytest

from core.data.requests import ForgetRequest
from tests.app.conftest import Open
from tests.app.test_front import texts
from ui.widgets import take_home

PAGE = "pages/11_Probabilities.py"


def charts(at) -> list[dict]:
    return [json.loads(chart.proto.spec) for chart in at.get("vega_lite_chart")]


def test_empty_says_what_to_do(open_page: Open) -> None:
    at = open_page(PAGE)
    assert "Nothing is to be forgotten yet" in texts(at)
    assert not at.get("vega_lite_chart")
    at.button(key="probabilities-start").click().run()
    assert not at.exception
    assert at.session_state["draft"].request == ForgetRequest.random(50)
    assert at.query_params["forget"] == "random:50"
    assert "Forgotten exactly: all " in texts(at)


def test_the_tree_is_shown_before_and_after(open_page: Open) -> None:
    at = open_page(PAGE, data="digits", forget="random:50")
    said = texts(at)
    assert "The tree is another one without these digits" in said
    assert "**When can forgetting be exact?** Where a model is made of sums over images." in said
    assert "Because of the hidden variable" in said
    pictures = charts(at)
    assert len(pictures) == 5  # a digit before, after, taken away; the tree before and after
    lines = [picture["layer"][0]["encoding"] for picture in pictures[3:]]
    found = [line["color"]["scale"]["domain"][1] for line in lines]
    assert found == ["gone afterwards", "new"]
    counted, hidden = (table.value for table in at.dataframe if "Before" in table.value)
    assert list(counted["After"]) == list(counted["Retrained (ideal)"])
    assert list(hidden["After"]) != list(hidden["Retrained (ideal)"])
    # Live: another model on the same digits, all of it computed now.
    began = time.monotonic()
    at.segmented_control(key="probabilities-model").set_value("chow_liu").run()
    assert time.monotonic() - began < 10
    assert not at.exception
    assert "trees are others" in texts(at)
    at.segmented_control(key="probabilities-model").set_value("naive_bayes").run()
    assert len(charts(at)) == 3


def test_a_class_leaves_the_prior(open_page: Open) -> None:
    at = open_page(PAGE, data="digits", forget="class:1")
    said = texts(at)
    assert "What is left is the prior" in said
    assert "because a whole class went" in said
    assert "The 90 digits" not in said


def test_the_network_still_knows(open_page: Open) -> None:
    at = open_page(PAGE, data="digits", forget="random:0.1")
    assert "The network's verdict" not in texts(at)
    at.session_state["head"] = True
    at.run()
    assert not at.exception
    said = texts(at)
    assert "The last layer forgot exactly, in" in said
    assert "The network's verdict: not forgotten." in said
    assert "a fresh read-out of them is +" in said


def test_the_logistic_model_is_near(open_page: Open) -> None:
    at = open_page(PAGE, data="digits", forget="random:50")
    at.segmented_control(key="probabilities-hidden").set_value("logistic").run()
    assert not at.exception
    assert "no image has a part of its own" in texts(at)
    assert "Influence function took" in texts(at)
    at.segmented_control(key="probabilities-method").set_value("descent_to_delete").run()
    assert not at.exception
    assert "Descent-to-Delete took" in texts(at)


def test_a_view_is_taken_home_and_found_again(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[str, bytes] = {}

    def kept(files, stem: str, _: str) -> None:
        made.update({f"{stem}.{kind}": make() for kind, _, _, make, _ in files})

    monkeypatch.setattr(take_home, "downloads", kept)
    said = {"counted": "naive_bayes", "hidden": "logistic", "way": "newton"}
    at = open_page(PAGE, data="digits", forget="random:50", **said)
    assert "Newton removal took" in texts(at)
    assert at.segmented_control(key="probabilities-model").value == "naive_bayes"
    at.session_state["naive_bayes-home"] = at.session_state["logistic-home"] = True
    at.run()
    assert not at.exception
    codes = [code.value for code in at.code]
    assert all(f"{name}={value}" in codes[0] for name, value in said.items())
    assert codes[1] == (
        "python -m core unlearn --dataset digits --forget random:50 --model naive_bayes "
        "--method exact --seed 0"
    )
    assert "--model logistic --method newton" in codes[3]
    found = json.loads(made["naive_bayes.json"])
    assert found["exact"]
    assert found["plan"]["model"] == "naive_bayes"
    assert "margin_auc" in made["logistic.csv"].decode()
    at = open_page(PAGE, data="digits", forget="random:50", counted="gcn", way="x")
    assert at.segmented_control(key="probabilities-model").value == "tan"


@pytest.mark.parametrize(
    ("forget", "said"),
    [("class:unicorn", "There is no class 'unicorn'"), ("indices:99999", "no training image")],
)
def test_what_cannot_be_forgotten_is_said_with_a_way_on(
    open_page: Open, forget: str, said: str
) -> None:
    at = open_page(PAGE, data="digits", forget=forget)
    assert said in at.error[0].value
    at.button(key="clear-bad").click().run()
    assert "Nothing is to be forgotten yet" in texts(at)


def test_one_digit_and_other_data(open_page: Open) -> None:
    at = open_page(PAGE, data="digits", forget="indices:3")
    assert "too few images" in list(at.dataframe[0].value["After"])
    at = open_page(PAGE, data="cifar10", forget="class:cat")
    assert "Nothing is to be forgotten yet" in texts(at)
