"""The front page: a finished run at once, three cases, the data, and nothing heavy imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import streamlit as st

from tests.app import fakes
from tests.app.conftest import ROOT, Open
from tests.killed import killed
from ui import outside
from ui.services import download


def texts(at) -> str:
    found = [*at.markdown, *at.caption, *at.info, *at.warning, *at.error, *at.title, *at.subheader]
    return "\n".join(element.value for element in found)


def test_shows_a_finished_run_cases_and_one_primary_button(open_page: Open, ship) -> None:
    ship(fakes.run("shipped", fakes.plan(dataset="cifar10")))
    at = open_page()
    assert len(at.get("vega_lite_chart")) == 4  # three histograms, the spy's scores
    assert at.metric[0].value == "58.0 %"
    assert "95 % interval 56.8 to 59.2 % · 1,000 + 1,000 images" in texts(at)
    assert "Forgotten, as far as these spies can see." in texts(at)
    assert "never a proof of deletion" in texts(at)
    assert [b.key for b in at.button if b.proto.type == "primary"] == ["start"]
    assert {"preset-random", "preset-class", "preset-memorised"} <= {b.key for b in at.button}


def test_the_story_is_the_navigation(open_page: Open) -> None:
    at = open_page()
    assert [link.label for link in at.get("page_link")] == [
        "Meet the model",
        "Choose what to forget",
        "Watch it forget",
        "Compare",
        "Methods",
        "Probabilities",
    ]


def test_class_run_explains_the_trap(open_page: Open, ship) -> None:
    ship(fakes.class_run("trap", "cifar10"))
    at = open_page()
    assert "**The trap.**" in texts(at)
    assert "95.0 %" in texts(at)
    # The fair question first, in numbers and charts; one click shows the other.
    assert at.metric[0].label == "Spy's score, same classes"
    assert at.metric[0].value == "58.0 %"
    assert "Test images, same classes" in at.get("vega_lite_chart")[0].proto.spec
    at.radio[0].set_value(False).run()
    assert "Test images (never seen)" in at.get("vega_lite_chart")[0].proto.spec


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
