"""The front page: a finished run at once, three cases, the data, and nothing heavy imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import streamlit as st

from core.data.requests import ForgetRequest
from tests.app import fakes
from tests.app.conftest import ROOT, Open
from tests.app.drawn import strip_of
from tests.killed import killed
from ui import outside
from ui.services import download, front_photos


def texts(at) -> str:
    found = [*at.markdown, *at.caption, *at.info, *at.warning, *at.error, *at.title, *at.subheader]
    drawn = [html.proto.body for html in at.get("html")]
    return "\n".join([*(element.value for element in found), *drawn])


def test_shows_photos_a_finished_run_cases_and_one_primary_button(open_page: Open, ship) -> None:
    """The first of four questions at once, the verdict after a guess."""
    ship(fakes.run("shipped", fakes.plan(dataset="cifar10")))
    at = open_page()
    assert len(at.get("vega_lite_chart")) == 1
    assert "It now is right about 87.5 % of them, 99.0 % before." in texts(at)
    assert "As far as these spies can see" not in texts(at)
    assert texts(at).count("<img ") == 6
    assert "Handwritten digits stand in here" in texts(at)
    assert [b.key for b in at.button if b.proto.type == "primary"] == ["start"]
    assert {"preset-random", "preset-class", "preset-memorised"} <= {b.key for b in at.button}


@pytest.mark.parametrize(
    ("taken", "answer"),
    [("forgotten", "**You guessed right.**"), ("not", "**Not quite.**"), ("skip", "")],
)
def test_the_verdict_follows_the_guess(open_page: Open, ship, taken: str, answer: str) -> None:
    ship(fakes.run("shipped", fakes.plan(dataset="cifar10")))
    at = open_page()
    at.button_group(key="front-random-guess").set_value(taken).run()
    assert not at.exception
    assert answer in texts(at)
    assert "As far as these spies can see." in texts(at)
    assert ">Forgotten<" in texts(at)
    assert "Recognised inside" in strip_of(at)
    at.button(key="front-random-full").click().run()
    assert not at.exception
    assert at.session_state["run"] == "shipped"


def test_the_story_is_the_navigation(open_page: Open) -> None:
    at = open_page()
    assert [link.label for link in at.get("page_link")] == [
        "Meet the model",
        "Choose what to forget",
        "Watch it forget",
        "Look inside",
        "What did it cost?",
        "Robustness",
        "Compare",
        "Methods",
        "Influence",
        "How it works",
        "Graphs",
        "Probabilities",
    ]


def test_the_case_in_which_silence_looks_like_forgetting_comes_first(open_page: Open, ship) -> None:
    ship(fakes.class_run("trap", "cifar10"))
    ship(fakes.run("tenth", fakes.plan(dataset="cifar10")))
    at = open_page()
    assert at.button_group(key="front-case").value == "class"
    assert "every image of the class automobile" in texts(at)
    assert "It now names 0.0 % of them" in texts(at)


def test_without_shipped_runs_and_data(open_page: Open) -> None:
    at = open_page()
    assert "ships no finished run" in texts(at)
    assert "handwritten digits" in texts(at)
    assert "wrong on purpose" in texts(at)
    assert at.button(key="download").label == "Download CIFAR-10 (163 MB)"
    assert not at.progress


@pytest.mark.parametrize("page", ["app.py", "pages/1_Choose.py", "pages/2_Unlearn.py"])
def test_strangers_are_offered_no_download(open_page: Open, monkeypatch, page: str) -> None:
    monkeypatch.setenv("FORGETTING_LAB_HOSTED", "1")
    download.current().running = True  # somebody who may has started it
    at = open_page(page, data="cifar10", forget="random:0.1")
    assert not {"download", "download-cancel"} & {b.key for b in at.button}
    assert "python -m core download" in texts(at)


@pytest.mark.parametrize(
    ("address", "strangers"),
    [(None, True), ("0.0.0.0", True), ("localhost", False), ("127.0.0.1", False)],
)
def test_hosted_is_what_listens_to_others(
    monkeypatch, address: str | None, strangers: bool
) -> None:
    monkeypatch.delenv("FORGETTING_LAB_HOSTED")
    real = st.get_option
    monkeypatch.setattr(
        st, "get_option", lambda name: address if name == "server.address" else real(name)
    )
    assert outside.hosted() == strangers
    for said, expected in (("0", False), ("1", True)):
        monkeypatch.setenv("FORGETTING_LAB_HOSTED", said)
        assert outside.hosted() == expected


def test_a_card_sets_its_case_up(open_page: Open) -> None:
    at = open_page()
    at.button(key="preset-class").click().run()
    assert not at.exception
    draft = at.session_state["draft"]
    assert (draft.dataset, draft.request.classes) == ("digits", ("1",))


def test_bad_link_is_said_in_one_sentence(open_page: Open) -> None:
    at = open_page(forget="class", data="imagenet", seed="x")
    assert len(at.warning) == 3
    assert "'imagenet'" in at.warning[0].value


def test_interrupted_runs_are_said_and_can_be_set_up_again(open_page: Open, keep) -> None:
    from core.runs.store.store import Store

    lost = fakes.run("lost", status="running", before=None, after=None, retrained=None)
    store = Store()
    store.begin(lost)
    killed(store, "lost")
    store.close()
    at = open_page()
    assert "ended before the run was saved" in texts(at)
    at.button(key="dismiss-lost").click().run()
    assert "ended before the run was saved" not in texts(at)


def test_imports_neither_torch_nor_sklearn(tmp_path: Path) -> None:
    code = (
        "import sys; from streamlit.testing.v1 import AppTest;"
        "at = AppTest.from_file('app.py', default_timeout=60).run();"
        "assert not at.exception, at.exception;"
        "print([m for m in ('torch', 'sklearn', 'torchvision') if m in sys.modules])"
    )
    import os

    environment = {**os.environ, "FORGETTING_LAB_CACHE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_the_photos_are_of_those_the_run_forgot(open_page: Open, ship, monkeypatch) -> None:
    """With how sure the network was of each, and is: by its place in the forget set."""
    run = fakes.run("shipped", fakes.plan(dataset="cifar10"))
    ship(run)
    pixels = np.zeros((2, 3, 32, 32), np.uint8)
    shown = front_photos.Shown(pixels, ["deer", "frog"], [3, 900])
    monkeypatch.setattr(front_photos, "of_request", lambda *_: shown)
    said = texts(open_page())
    assert said.count("<img ") == 2
    assert "digits stand in" not in said
    for evaluation in (run.before, run.after):
        for position in shown.positions:
            assert f"{100 * np.exp(-evaluation.forget_losses[position]):.0f} %</span>" in said


def test_other_images_than_those_of_the_run_are_not_shown(monkeypatch) -> None:
    class Other:
        class_names = ("a",)
        labels = np.zeros(4, int)

        def forget_set(self, request):
            return SimpleNamespace(digest="another", forget=np.arange(4))

    monkeypatch.setattr(front_photos, "glimpse", lambda name: Other())
    found = front_photos.of_request("cifar10", ForgetRequest.random(0.5), "the run's")
    assert found.positions == []
    assert found.names == list("012345")
