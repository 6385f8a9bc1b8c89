"""Several methods queued on the same photos in one press: choice, way, end, and a failure."""

from __future__ import annotations

import pytest

from core.unlearners import METHODS
from tests.app import fakes
from tests.app.conftest import Open
from tests.app.test_front import texts
from ui.services import jobs
from ui.wording import live
from ui.wording import together as words

PAGE = "pages/2_Unlearn.py"
LINK = {"data": "digits", "forget": "class:1"}


def start(open_page: Open, runner: fakes.Runner, *further: str):
    """Three methods on one set, the first of them under way."""
    at = open_page(PAGE, **LINK)
    at.multiselect(key="unlearn-also").set_value(list(further)).run()
    assert not at.exception
    at.button(key="start").click().run()
    assert not at.exception
    assert runner.reached.wait(10)
    return at.run()


def test_nothing_further_is_one_run(open_page: Open, runner) -> None:
    at = open_page(PAGE, **LINK)
    assert at.button(key="start").label == "Start forgetting"
    options = at.multiselect(key="unlearn-also").options
    assert METHODS["neg_grad"].label in options
    assert METHODS["fine_tune"].label not in options  # it is the first
    some = open_page(PAGE, data="digits", forget="random:50")
    only_classes = {m.label for m in METHODS.values() if m.suits == "classes"}
    assert only_classes
    assert only_classes <= set(options)
    assert not only_classes & set(some.multiselect(key="unlearn-also").options)


def test_three_are_queued_in_one_press_and_compared_at_the_end(open_page: Open, runner) -> None:
    at = open_page(PAGE, **LINK)
    at.multiselect(key="unlearn-also").set_value(["neg_grad", "scrub"]).run()
    assert at.button(key="start").label == "Start all 3"
    assert "How long each takes here is known once it has run." in texts(at)
    at.button(key="start").click().run()
    assert runner.reached.wait(10)
    at.run()
    assert not at.exception
    ids = at.session_state["together"]
    assert len(ids) == 3
    assert at.query_params["runs"] == ",".join(ids)
    said = texts(at)
    assert "◐ **Fine-tune** · runs" in said
    assert f"○ {METHODS['scrub'].label} · waits" in said
    assert "Your run is waiting" not in said  # said once
    link = {"run": ids[0], "runs": ",".join(ids)}
    assert f"○ {METHODS['scrub'].label} · waits" in texts(open_page(PAGE, **link))  # a reload
    runner.release.set()
    assert jobs.queue().join(10)
    at.run()
    assert not at.exception
    assert "Compare finished runs" in texts(at)
    assert at.session_state["compare"] == ids
    assert at.session_state["together"] == []
    assert {"show-A", "show-B", "show-C"} <= {b.key for b in at.button}


def test_the_page_follows_to_the_next_one(open_page: Open, runner) -> None:
    at = start(open_page, runner, "neg_grad")
    first, second = at.session_state["together"]
    assert at.session_state["run"] == first
    jobs.cancel(first, at.session_state["owner"])
    runner.reached.clear()
    assert runner.reached.wait(10)  # the second is under way
    at.run()
    assert not at.exception
    assert at.session_state["run"] == second
    assert "● Fine-tune · stopped early" in texts(at)


def test_one_that_fails_is_left_out_and_alone_nothing_is_compared(open_page: Open, runner) -> None:
    runner.fail = fakes.FAILURE
    at = start(open_page, runner, "neg_grad")
    runner.release.set()
    assert jobs.queue().join(10)
    at.run()
    assert not at.exception
    assert "The loss became infinite" in texts(at)
    assert at.session_state["compare"] == []


def test_all_of_them_can_be_stopped(open_page: Open, runner) -> None:
    at = start(open_page, runner, "neg_grad", "scrub")
    at.button(key="stop-all").click().run()
    assert jobs.queue().join(10)
    states = [jobs.job(id, "").state for id in at.session_state["together"]]
    assert states == ["partial", "failed", "failed"]


def test_more_than_the_queue_takes_start_none(open_page: Open, runner) -> None:
    at = start(open_page, runner)
    at.session_state["run"] = None
    at.run()
    at.multiselect(key="unlearn-also").set_value(["neg_grad", "scrub", "ssd"]).run()
    at.button(key="start").click().run()
    assert "Of these 4 runs only 3 would be taken now, so none is." in at.error[0].value
    assert len(jobs.under_way()) == 1


def test_an_earlier_run_tells_how_long_it_takes(open_page: Open, keep, runner) -> None:
    keep(fakes.run("old", fakes.plan("class:2", "neg_grad")))
    at = open_page(PAGE, **LINK)
    at.multiselect(key="unlearn-also").set_value(["neg_grad"]).run()
    assert f"Fine-tune: not measured yet; {METHODS['neg_grad'].label}: about" in texts(at)
    assert "Together" not in texts(at)


def test_a_hosted_server_offers_no_more_than_may_wait(open_page: Open, monkeypatch) -> None:
    monkeypatch.setenv("FORGETTING_LAB_HOSTED", "1")
    at = open_page(PAGE, **LINK)
    assert at.multiselect(key="unlearn-also").max_selections == 2
    at.multiselect(key="unlearn-also").set_value(["neg_grad"]).run()
    assert METHODS["retrain"].label in at.multiselect(key="unlearn-also").options
    monkeypatch.setenv("FORGETTING_LAB_RETRAIN_MINUTES", "0")
    options = open_page(PAGE, **LINK).multiselect(key="unlearn-also").options
    assert METHODS["retrain"].label not in options


def test_words_of_the_queue() -> None:
    text = words.estimates(["A", "B"], [50.0, 400.0], 300.0)
    assert text == (
        "One after another. A: about 50 s; B: about 7 min. Together about 8 min, and then each is "
        "checked. Stopped after 5 min, as long as a run may take here: B."
    )
    assert "Together" not in words.estimates(["A", "B"], [50.0, None], float("inf"))
    assert live.waiting(1, 70.0).endswith("starts by itself, in about 70 s.")
    assert live.waiting(2).endswith("starts by itself.")


@pytest.mark.parametrize(
    ("state", "said"), [("waiting", "waits, about 50 s"), ("partial", "stopped")]
)
def test_a_line_of_the_list(state: str, said: str) -> None:
    assert said in words.line("A", state, False, 50.0)
