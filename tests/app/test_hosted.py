"""A server that strangers share: each sees, stops, shares and deletes their own runs only, whatever
address they make up, and nobody can take more of it than its limits."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
import streamlit as st

from core.runs import room
from core.runs.job import hashed
from core.runs.limits import Limits, variable_of
from core.runs.store.store import Store
from core.runs.store.tables import Row
from tests.app import fakes
from tests.app.conftest import ROOT, Open
from tests.app.test_front import texts
from tests.app.test_unlearn import LINK, PAGE, start
from tests.killed import killed
from ui import connection, outside
from ui.services import images, jobs, runs
from ui.state.owner import COOKIE

COMPARE = "pages/6_Compare.py"
PRIVATE = "here, or it is private"
ME, YOU = "a" * 24, "b" * 24


@pytest.fixture(autouse=True)
def hosted(own_folders: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGETTING_LAB_HOSTED", "1")


@pytest.fixture
def mine(cookies: dict[str, str]) -> str:
    """A finished run of the visitor `ME`, who is the one that opens pages until the cookie says
    otherwise; its id."""
    cookies[COOKIE] = ME
    store = Store()
    store.save(fakes.run("mine"), hashed(ME))
    store.close()
    return "mine"


def keys(at) -> set[str]:
    return {element.key for element in (*at.button, *at.toggle) if element.key}


def test_a_made_up_address_shows_nothing_of_anothers_run(
    open_page: Open, runner, cookies: dict[str, str]
) -> None:
    """While it runs and when it has ended; nor does the starter's token help in the address."""
    cookies[COOKIE] = ME
    at = start(open_page, runner)
    run = at.session_state["run"]
    assert "stop" in keys(at)
    for _ in range(2):
        cookies[COOKIE] = YOU
        for link in ({"run": run}, {"run": run, "owner": ME}, {"run": run, "runs": run}):
            other = open_page(PAGE, **link)
            assert PRIVATE in other.error[0].value
            assert not {"stop", f"delete-{run}", f"shared-{run}"} & keys(other)
            assert not other.get("vega_lite_chart")
            assert not other.progress
        table = open_page(COMPARE, runs=run)
        assert "No run has finished yet" in texts(table)
        cookies[COOKIE] = ME
        assert not open_page(PAGE, run=run).error
        runner.release.set()
        assert jobs.queue().join(10)
    missing = open_page(PAGE, run="nobody")
    assert PRIVATE in missing.error[0].value  # in the same words


def test_a_shared_run_is_seen_and_no_more(
    open_page: Open, mine: str, cookies: dict[str, str]
) -> None:
    at = open_page(PAGE, run=mine)
    assert "Only you see this run" in texts(at)
    assert not any(f"run={mine}" in code.value for code in at.code)
    at.toggle(key=f"shared-{mine}").set_value(True).run()
    assert not at.exception
    assert any(f"run={mine}" in code.value for code in at.code)
    cookies[COOKIE] = YOU
    other = open_page(PAGE, run=mine)
    assert ">Forgotten<" in texts(other)
    assert not {f"delete-{mine}", f"shared-{mine}"} & keys(other)
    assert list(open_page(COMPARE, runs=mine).dataframe[0].value["method"]) == ["Fine-tune"]
    assert not open_page(COMPARE).dataframe  # shared by its link, not listed
    cookies[COOKIE] = ME
    at.toggle(key=f"shared-{mine}").set_value(False).run()
    cookies[COOKIE] = YOU
    assert PRIVATE in open_page(PAGE, run=mine).error[0].value


def test_a_visitor_deletes_their_own_run(open_page: Open, mine: str) -> None:
    at = open_page(PAGE, run=mine)
    at.button(key=f"delete-{mine}").click().run()
    assert not at.exception
    assert runs.store().count() == 0


def test_two_runs_that_are_private_are_said_to_be(open_page: Open, mine: str, ship) -> None:
    ship(fakes.run("shipped", fakes.plan(method="neg_grad")))
    at = open_page(COMPARE, runs=f"{mine},shipped")
    assert "One of these runs is private" in texts(at)
    jobs.set_shared(mine, ME, True)
    at.run()
    assert "private" not in texts(at)


def test_lost_runs_are_told_to_their_visitor_only(open_page: Open, cookies: dict[str, str]) -> None:
    store = Store()
    store.begin(fakes.run("lost", status="running"), hashed(ME))
    killed(store, "lost")
    store.close()
    cookies[COOKIE] = YOU
    assert "ended before the run was saved" not in texts(open_page())
    cookies[COOKIE] = ME
    at = open_page()
    assert "ended before the run was saved" in texts(at)
    at.button(key="dismiss-lost").click().run()
    assert "ended before the run was saved" not in texts(at)


@pytest.mark.parametrize("page", ["app.py", PAGE, COMPARE])
def test_a_page_reads_no_run_of_others(
    open_page: Open, mine: str, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    for i in range(20):
        runs.store().save(fakes.run(f"theirs-{i}"), hashed(YOU))
    read: list[str] = []
    real = Row.fields
    monkeypatch.setattr(Row, "fields", lambda row, *more: read.append(row.id) or real(row, *more))
    assert not open_page(page, **LINK).exception
    assert set(read) <= {mine}


def test_a_cleared_run_is_said_to_have_been_there_to_whom_it_concerns(
    open_page: Open, mine: str, cookies: dict[str, str]
) -> None:
    assert room.make_room(runs.store(), Limits(disk_mb=0))
    assert "was here, and was cleared to make room" in open_page(PAGE, run=mine).error[0].value
    cookies[COOKIE] = YOU
    assert PRIVATE in open_page(PAGE, run=mine).error[0].value


def test_a_new_tab_has_no_new_quota(
    open_page: Open, runner, cookies: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORGETTING_LAB_WAITING_EACH", "1")
    cookies[COOKIE] = ME
    start(open_page, runner)
    for refused in (False, True):
        tab = open_page(PAGE, **LINK)
        tab.button(key="start").click().run()
        assert any("You have 1 run waiting" in e.value for e in tab.error) == refused
    cookies[COOKIE] = YOU
    at = open_page(PAGE, **LINK)
    at.button(key="start").click().run()
    assert not at.error


def test_a_new_cookie_from_the_same_place_has_no_new_quota(
    open_page: Open, runner, cookies: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORGETTING_LAB_WAITING_EACH", "1")
    monkeypatch.setenv("FORGETTING_LAB_VISITORS_AN_ADDRESS", "2")
    monkeypatch.setattr(type(st.context), "ip_address", property(lambda _: "192.0.2.7"))
    cookies[COOKIE] = ME
    start(open_page, runner)
    said = []
    for token in "bcd":
        cookies[COOKIE] = token * 24
        tab = open_page(PAGE, **LINK)
        tab.button(key="start").click().run()
        said.append([e.value for e in tab.error])
    assert said[:2] == [[], []]
    assert "Your network has 2 runs waiting" in said[2][0]


def test_the_budget_is_said_before_the_start(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = open_page(PAGE, **LINK)
    assert "A run here is stopped after 5 min" in texts(at)
    monkeypatch.setattr("ui.services.estimates.seconds", lambda plan, owner: 720.0)
    at.run()
    assert "This takes about 12 min." in at.warning[0].value
    assert not at.button(key="start").disabled
    monkeypatch.setenv("FORGETTING_LAB_HOSTED", "0")
    assert "stopped after" not in texts(open_page(PAGE, **LINK))


def test_no_retraining_that_takes_too_long(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The digits' network was trained in 46.5 s."""
    at = open_page(PAGE, **LINK, method="retrain")
    assert not at.button(key="start").disabled
    monkeypatch.setenv("FORGETTING_LAB_RETRAIN_MINUTES", "0.5")
    at = open_page(PAGE, **LINK, method="retrain")
    assert "this server retrains none" in at.warning[0].value
    assert at.button(key="start").disabled
    at = open_page(PAGE, data="digits", forget="class:1,2")
    assert "retrain-first" not in keys(at)


def test_no_weights_are_taken(open_page: Open, mine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def offered(at) -> bool:
        return bool(at.get("file_uploader"))

    at = open_page(PAGE, **LINK)
    assert not offered(at)
    assert "takes no files from strangers" in texts(at)
    brought = fakes.plan(method="brought")
    runs.store().save(fakes.run("brought", brought), hashed(ME))
    at = open_page(PAGE, run="brought")
    at.button(key="new-run").click().run()
    assert "There is no method 'brought'" in texts(at)
    monkeypatch.setenv("FORGETTING_LAB_WEIGHTS_MB", "50")
    assert offered(open_page(PAGE, **LINK))


@pytest.mark.parametrize("option", ["server.enableXsrfProtection", "server.enableCORS"])
def test_a_server_without_protection_serves_no_strangers(
    open_page: Open, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    real = st.get_option
    monkeypatch.setattr(st, "get_option", lambda name: False if name == option else real(name))
    at = open_page(PAGE, **LINK)
    assert f"its protection {option} is off" in at.error[0].value
    assert "start" not in keys(at)
    monkeypatch.setenv("FORGETTING_LAB_HOSTED", "0")
    assert not open_page(PAGE, **LINK).error


def test_the_shipped_settings_protect() -> None:
    text = (ROOT / ".streamlit" / "config.toml").read_text()
    for option in ("enableXsrfProtection", "enableCORS"):
        assert f"\n{option} = true\n" in text


def test_every_limit_is_documented_with_its_default() -> None:
    text = (ROOT / "docs" / "hosting.md").read_text()
    for limit in dataclasses.fields(Limits):
        row = f"| `{variable_of(limit.name)}` | {limit.default:g} | {limit.metadata['says']} |\n"
        assert row in text


def test_the_image_has_what_is_copied_and_no_more() -> None:
    """What git ignores stays out, secrets first of all; what the app reads is there."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    copied = set(re.findall(r"^COPY (\S+) ", dockerfile, re.MULTILINE))
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == copied
    assert ".streamlit/secrets.toml" in ignored
    assert all((ROOT / name).exists() for name in copied)
    assert copied >= {"app.py", "core", "ui", "pages", "models_cache", ".streamlit"}
    for line in ("USER lab", "FORGETTING_LAB_HOSTED=1", "/_stcore/health"):
        assert line in dockerfile
    required = (ROOT / "requirements.txt").read_text()
    for name, range_ in re.findall(r'"(torch(?:vision)?)([^"]+)"', dockerfile):
        assert f"\n{name}{range_}\n" in f"\n{required}"


def test_a_limit_that_is_no_number_is_one_sentence(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORGETTING_LAB_RUN_SECONDS", "long")
    at = open_page()
    assert "FORGETTING_LAB_RUN_SECONDS is 'long'" in at.error[0].value.replace("\\", "")


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts a secrets.toml where Streamlit looks for it."""
    file = tmp_path / "secrets.toml"

    def put(text: str) -> None:
        file.write_text(text)
        st.config.set_option("secrets.files", [str(file)])
        st.secrets._reset()

    before = st.config.get_option("secrets.files")
    yield put
    st.config.set_option("secrets.files", before)
    st.secrets._reset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('url = "postgresql://bob:pw@db.internal/lab"', "postgresql://bob:pw@db.internal/lab"),
        (
            'dialect = "postgresql"\nusername = "bob"\npassword = "p@w"\nhost = "db.internal"\n'
            'database = "lab"\nport = "5433"',
            "postgresql://bob:p%40w@db.internal:5433/lab",
        ),
        ("", None),
    ],
)
def test_the_database_of_streamlits_secrets(
    secrets, monkeypatch: pytest.MonkeyPatch, text: str, expected: str | None
) -> None:
    secrets(f"[connections.forgetting_lab]\n{text}\n")
    assert connection.database() == expected
    if expected:
        assert "db.internal" not in outside.plain("connection to db.internal failed")
    monkeypatch.setenv("FORGETTING_LAB_DATABASE", "sqlite:////x.sqlite")
    assert connection.database() is None


def test_the_store_is_where_the_secrets_say(open_page: Open, secrets, tmp_path: Path) -> None:
    secrets(f'[connections.forgetting_lab]\nurl = "sqlite:///{tmp_path}/named.sqlite"\n')
    assert not open_page().exception
    assert (tmp_path / "named.sqlite").exists()


def test_estimates_scale_with_the_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    from ui.services import estimates, methods, shipped

    rows = [{"method": "fine_tune", "case": "random:0.1", "seconds": 40.0}]
    monkeypatch.setattr(shipped, "measured_methods", lambda: rows)
    monkeypatch.setattr(images, "case", lambda *_: "random")
    tuned = methods.defaults(methods.descriptions()["fine_tune"], "random")["epochs"]
    plan = fakes.plan(dataset="cifar10")
    for share in (1, 2.5):
        of = fakes.replace(plan, settings={"epochs": share * tuned})
        assert estimates.seconds(of, ME) == pytest.approx(share * 40.0)
    assert estimates.seconds(fakes.plan(), ME) is None
    retrain = fakes.plan(method="retrain")
    assert re.match(r"\d+", str(estimates.seconds(retrain, ME)))
