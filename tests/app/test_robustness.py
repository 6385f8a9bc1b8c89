"""The page on robustness: no run, one under way, one that failed, one whose photos or network are
gone; a measurement that runs, stops, fails and is done; and what is said of numbers that are
known."""

from __future__ import annotations

import dataclasses
import threading
import time
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.errors import CheckpointMissing, LabError
from core.runs.run_files import run_from_files
from tests.app import fakes
from tests.app.conftest import ROOT, Open
from tests.app.test_front import texts
from ui.services import jobs, robustness
from ui.services.robustness import Asked
from ui.wording import robustness as words

PAGE = "pages/5_Robustness.py"
KINDS = ("gaussian_noise", "gaussian_blur", "contrast", "brightness", "pixelation", "jpeg")


def measure(value: float, half: float = 0.02) -> dict[str, float | int]:
    return {"value": value, "low": value - half, "high": value + half, "n": 200}


def row(before: float, after: float, ideal: float | None, half: float = 0.02) -> dict[str, Any]:
    return {
        "before": measure(before),
        "after": measure(after),
        "retrained": None if ideal is None else measure(ideal),
        "difference": None if ideal is None else measure(after - ideal, half),
    }


def corrupted(ideal: float | None = 0.7) -> dict[str, Any]:
    by_kind = {kind: [row(0.8, 0.6, ideal) for _ in range(5)] for kind in KINDS}
    by_kind["contrast"][4] = row(0.8, 0.2, ideal)
    clean = row(0.9, 0.8, None if ideal is None else 0.85)
    return {"images": 200, "clean": clean, "mean": row(0.8, 0.6, ideal), **by_kind}


def attacked(half: float = 0.02) -> dict[str, Any]:
    return {
        "images": 200,
        "eps": 1 / 255,
        "clean": row(0.9, 0.8, 0.85),
        "fgsm": row(0.5, 0.4, 0.41),
        "pgd": row(0.4, 0.3, 0.31, half),
    }


def curve(*shares: float) -> dict[str, Any]:
    return {"steps": [0, 10, 20], "accuracies": [measure(share) for share in shares]}


def relearned(half: float = 0.02) -> dict[str, Any]:
    fast = {"after": curve(0.1, 0.8, 0.9), "ideal": curve(0.1, 0.2, 0.3)}
    slow = {"after": curve(0.1, 0.2, 0.25), "ideal": curve(0.1, 0.2, 0.25)}
    return {
        "retained": row(0, 0.85, 0.25, half),
        "few": row(0, 0.22, 0.22, half),
        "curves": {"retained": fast, "few": slow},
    }


FOUND = {"corruptions": corrupted(), "adversarial": attacked(), "relearning": relearned()}


class Work:
    """Stands where the measuring is. fail: is raised in place of an answer."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.fail: Exception | None = None
        self.asked: list[Asked] = []

    def __call__(self, asked: Asked, run: object, data: object, show: Any) -> dict[str, Any]:
        self.asked.append(asked)
        show("batches", 3, 12)
        while not self.release.wait(0.01):
            show("batches", 3, 12)
        if self.fail:
            raise self.fail
        return FOUND[asked.question]


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch):
    stub = Work()
    monkeypatch.setattr(robustness, "_measured", stub)
    monkeypatch.setattr(robustness, "check_kept", lambda run: None)
    yield stub
    stub.release.set()


def wait_for(asked: Asked, *states: str) -> None:
    for _ in range(1000):
        if robustness.trial(asked).state in states:
            return
        time.sleep(0.01)
    raise AssertionError(robustness.trial(asked).state)


def start(at: AppTest, name: str) -> None:
    at.button(key=f"measure-{name}").click().run()
    assert not at.exception, at.exception


def test_without_any_run_it_says_what_it_is_for(open_page: Open) -> None:
    at = open_page(PAGE)
    assert "Forgetting can leave a network weaker" in texts(at)
    assert at.button(key="to-choose")


def test_a_run_under_way_and_one_that_failed_say_so(open_page: Open, runner, keep) -> None:
    keep(dataclasses.replace(fakes.run("bad"), status="failed", after=None, error="Diverged."))
    assert "Diverged. It left no network to try." in texts(open_page(PAGE, run="bad"))
    jobs.queue()
    job = jobs.submit(fakes.plan(), "a" * 24)
    assert "not done yet: what it withstands" in texts(open_page(PAGE, run=job.id))


def test_without_the_photos_or_the_network_it_says_what_brings_them_back(
    open_page: Open, ship, keep
) -> None:
    ship(run_from_files(ROOT / "models_cache" / "runs", "c21021b56f7f"))
    assert "not on this machine" in texts(open_page(PAGE, run="c21021b56f7f"))
    keep(fakes.run("old"))
    at = open_page(PAGE, run="old")
    assert "not the network it left. Only the newest" in texts(at)
    assert at.button(key="set-up-again")


def test_a_link_starts_nothing_and_a_measurement_is_followed_to_its_end(
    open_page: Open, keep, work: Work
) -> None:
    keep(fakes.run("one"))
    at = open_page(PAGE, run="one")
    assert not work.asked
    asked = Asked("one", "corruptions", images=200)
    start(at, "corruptions")
    wait_for(asked, "running")
    at.run()
    assert at.get("progress")[0].proto.text.startswith("Step 3 of 12")
    work.release.set()
    wait_for(asked, "done")
    at.run()
    text = texts(at)
    assert work.asked == [asked]
    assert "right about **60.0 %** of the photos (80.0 % as they are)" in text
    assert "It withstands less than the ideal, by -12.0 to -8.0 points." in text
    assert "Worse photos cost it 20.0 points, and the ideal 15.0." in text
    assert "under less contrast at strength 5: 20.0 %, and the ideal 70.0 %" in text
    assert text.count("strength 5</b>") == 1  # the photo at each strength
    at.session_state["corruptions-twin"] = True
    at.run()
    (twin,) = (t.value for t in at.dataframe)
    assert len(twin) == 32
    for name in ("adversarial", "relearning"):
        start(at, name)
        wait_for(Asked("one", name, *((200, 1.0) if name == "adversarial" else ())), "done")
        at.run()
    assert "**30.0 %** of the photos after PGD" in texts(at)
    assert "After 20 steps it is right about **90.0 %**" in texts(at)
    assert len(at.get("vega_lite_chart")) == 4
    at.session_state["robustness-lesson"] = "few"
    at.run()
    assert "they come back no faster" in texts(at)
    again = open_page(PAGE, run="one")
    assert "**30.0 %** of the photos after PGD" in texts(again)
    assert len(work.asked) == 3


def test_it_can_be_stopped_and_a_failure_is_said(open_page: Open, keep, work: Work) -> None:
    keep(fakes.run("one"))
    at = open_page(PAGE, run="one")
    asked = Asked("one", "relearning")
    start(at, "relearning")
    wait_for(asked, "running")
    at.run()
    at.button(key="stop-relearning").click().run()
    wait_for(asked, "stopped")
    at.run()
    assert "Stopped before it was done" in texts(at)
    work.fail = LabError("Too few photos.", "Forget more.")
    work.release.set()
    start(at, "relearning")
    wait_for(asked, "failed")
    at.run()
    assert "Too few photos. Forget more." in texts(at)
    assert at.button(key="measure-relearning").label == "Train it on again"


def test_a_second_one_waits_and_can_be_taken_out_of_the_line(
    open_page: Open, keep, work: Work
) -> None:
    keep(fakes.run("one"))
    at = open_page(PAGE, run="one")
    first, second = Asked("one", "corruptions", 200), Asked("one", "relearning")
    start(at, "corruptions")
    start(at, "relearning")
    wait_for(first, "running")
    at.run()
    assert at.get("progress")[1].proto.text == "Waiting for another measurement to end"
    at.button(key="stop-relearning").click().run()
    assert robustness.trial(second).state == "stopped"
    start(at, "relearning")
    work.release.set()
    wait_for(second, "done")
    assert [asked.question for asked in work.asked] == ["corruptions", "relearning"]


def test_strangers_have_a_budget(
    open_page: Open, keep, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(fakes.run("one"))
    monkeypatch.setattr(robustness.outside, "hosted", lambda: False)
    at = open_page(PAGE, run="one")
    monkeypatch.setattr(robustness.outside, "hosted", lambda: True)
    monkeypatch.setenv("FORGETTING_LAB_RUN_SECONDS", "0")
    monkeypatch.setenv("FORGETTING_LAB_HOUR_SECONDS", "0")
    assert robustness.sizes() == [100, 200]
    asked, run = Asked("one", "relearning"), fakes.run("one")
    made = robustness.trial(asked)
    made.start(run, None, "a" * 24, "")  # type: ignore[arg-type]
    wait_for(asked, "failed")
    assert "longer than the 0 seconds" in str(made.error)
    with pytest.raises(LabError, match="You have used the 0 s of computing"):
        made.start(run, None, "a" * 24, "")  # type: ignore[arg-type]
    assert at is not None


def test_what_is_said_without_an_ideal_and_where_chance_could_do_it() -> None:
    names = {kind: kind for kind in KINDS}
    assert words.UNCOMPARED in words.corruptions(corrupted(None), names)
    assert "Chance alone can make" in words.adversarial(attacked())
    assert "Chance alone" in words.relearning(relearned(0.9), "retained")
    found = relearned()
    assert (
        "sooner than in a network that never saw them, by +58.0 to +62.0 points"
        in words.relearning(found, "retained")
    )
    found["curves"]["few"]["ideal"] = None
    assert words.UNCOMPARED in words.relearning(found, "few")


def test_a_network_that_is_not_kept_is_an_error(keep) -> None:
    with pytest.raises(CheckpointMissing):
        robustness.check_kept(fakes.run("nobody"))
