"""The page that chooses: empty, by class, at random, by link, and with a link that is wrong."""

from __future__ import annotations

import pytest

from core.data.requests import ForgetRequest
from core.runs.plan import Plan
from core.runs.run import Run
from core.runs.task import prepare
from tests.app import fakes
from tests.app.conftest import Open
from tests.app.test_front import texts
from ui.services import images

PAGE = "pages/1_Choose.py"


def test_empty_says_what_to_do(open_page: Open) -> None:
    at = open_page(PAGE)
    assert "Nothing is chosen yet" in texts(at)
    at.button(key="take-random").click().run()
    assert not at.exception
    assert at.session_state["draft"].request == ForgetRequest.random(0.1)
    assert at.query_params["forget"] == "random:0.1"
    assert "90 of 897, or 10.0 %" in texts(at)


def test_classes_with_a_share(open_page: Open) -> None:
    at = open_page(PAGE, data="digits", forget="class:3,8:0.5")
    assert at.session_state["choose-way"] == "classes"
    assert at.session_state["draft"].request == ForgetRequest.of_classes("3", "8", fraction=0.5)
    assert "2 of 10 classes lose images" in at.get("vega_lite_chart")[0].proto.alt
    at.slider(key="choose-share").set_value(100).run()
    assert at.query_params["forget"] == "class:3,8"


def test_random_keeps_seed_in_the_link(open_page: Open) -> None:
    at = open_page(PAGE, data="digits", forget="random:0.1")
    at.number_input(key="choose-random-seed").set_value(7).run()
    assert at.query_params["forget_seed"] == "7"
    assert at.session_state["draft"].request == ForgetRequest.random(0.1, 7)


def test_picked_images_are_counted_and_shown(open_page: Open) -> None:
    at = open_page(PAGE, data="digits", forget="indices:1,5,9")
    assert at.session_state["choose-way"] == "indices"
    assert "3 of 897, or 0.3 %" in texts(at)
    assert "So few are asked about one by one" in texts(at)


def test_wrong_requests_give_one_sentence_and_a_way_on(open_page: Open) -> None:
    for forget, said in (
        ("class:unicorn", "There is no class 'unicorn'"),
        ("indices:99999", "There is no training image 99999"),
        ("random:1.0", "This forgets all 897 training images"),
    ):
        at = open_page(PAGE, data="digits", forget=forget)
        assert said in at.error[0].value
        at.button(key="clear-bad").click().run()
        assert "Nothing is chosen yet" in texts(at)


def test_cifar_without_its_data_offers_the_download_or_digits(open_page: Open) -> None:
    at = open_page(PAGE, data="cifar10", forget="class:cat")
    assert at.button(key="download")
    at.button(key="use-digits").click().run()
    assert not at.exception
    assert at.session_state["draft"].dataset == "digits"


def test_a_choice_survives_a_page_switch(open_page: Open, ship) -> None:
    ship(fakes.run())
    at = open_page(PAGE, data="digits", forget="class:4")
    at.switch_page("pages/6_Compare.py").run()
    at.switch_page(PAGE).run()
    assert not at.exception
    assert at.session_state["draft"].request == ForgetRequest.of_classes("4")


@pytest.mark.parametrize(("model", "method"), [("compact", "fine_tune"), ("sisa", "sisa")])
def test_what_is_previewed_is_what_every_architecture_forgets(model: str, method: str) -> None:
    request = ForgetRequest.most_memorised(50)
    plan = Plan(model, "digits", request, method)
    started = next(item for item in prepare(plan, device="cpu").run() if isinstance(item, Run))
    assert started.data["forget_digest"] == images.split("digits", request).digest
