"""A moment of a run is kept, under way or in the replay, and lies beside a later one."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from tests.app import fakes
from tests.app.conftest import Open
from tests.app.drawn import rows
from tests.app.test_front import texts
from ui.services import jobs
from ui.wording import moments, strip

PAGE = "pages/2_Unlearn.py"
DRAFT = {"data": "digits", "forget": "random:0.1", "method": "fine_tune"}


def strips(at: AppTest) -> int:
    return sum(bool(rows(chart, "reading")) for chart in at.get("vega_lite_chart"))


def test_kept_while_it_runs_it_lies_beside_the_end(open_page: Open, runner) -> None:
    runner.measured = {}
    at = open_page(PAGE, **DRAFT)
    at.button(key="start").click().run()
    assert runner.reached.wait(10)
    at.run()
    run = at.session_state["run"]
    at.button(key=f"keep-{run}").click().run()
    assert not at.exception, at.exception
    assert at.session_state[f"kept-{run}"].step == 20
    assert "Kept: step" not in texts(at)  # it is the one on screen
    runner.release.set()
    assert jobs.queue().join(10)
    at.run()
    assert not at.exception, at.exception
    text = texts(at)
    assert "Kept: step 20" in text
    assert "##### Step 40" in text
    assert "From step 20 to step 40: *spy* from" in text
    assert strips(at) == 3  # the verdict's, and those of the two moments
    at.button(key=f"let-go-{run}").click().run()
    assert "Kept: step" not in texts(at)
    assert strips(at) == 2


def test_another_is_kept_instead(open_page: Open, keep) -> None:
    keep(fakes.run())
    at = open_page(PAGE, run="run-1")
    at.session_state["result-run-1-view"] = "Replay, step by step"
    at.run()
    (slider,) = (s for s in at.slider if s.key.startswith("replay-"))
    slider.set_value(10).run()
    at.button(key="keep-run-1").click().run()
    (slider,) = (s for s in at.slider if s.key.startswith("replay-"))
    slider.set_value(30).run()
    assert "Kept: step 10" in texts(at)
    at.button(key="keep-run-1").click().run()
    assert at.session_state["kept-run-1"].step == 30


def test_what_has_changed_is_read_from_the_rows() -> None:
    def row(now: float | None) -> strip.Row:
        return strip.Row("outputs", "Spy", "AUC", 0.9, now, 0.5, 0.02, "at the ideal")

    assert moments.since(1, 2, [row(0.7)], [row(0.55)]) == (
        "From step 1 to step 2: *spy* from 70.0 to 55.0 %, nearer to the ideal (50.0)."
    )
    assert "no nearer to the ideal" in moments.since(1, 2, [row(0.55)], [row(0.7)])
    assert moments.since(1, 2, [row(None)], [row(0.7)]) == "Step 1 beside step 2."
