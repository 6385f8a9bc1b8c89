"""The page that unlearns: empty, set up, waiting, running, finished, stopped, failed, bad link."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest

from core.data.requests import ForgetRequest
from core.runs.store import array_files
from tests.app import fakes
from tests.app.conftest import Open
from tests.app.drawn import strip_of
from tests.app.test_front import texts
from tests.killed import killed
from ui.services import jobs, methods, runs
from ui.state import owner as token
from ui.wording import verdicts

PAGE = "pages/2_Unlearn.py"
LINK = {"data": "digits", "forget": "random:0.1"}


def test_empty_says_what_to_do(open_page: Open) -> None:
    at = open_page(PAGE)
    assert "Nothing is chosen" in texts(at)
    assert at.button(key="to-choose")


def test_settings_are_drawn_from_the_methods_metadata(open_page: Open) -> None:
    at = open_page(PAGE, **LINK)
    method = methods.descriptions()["fine_tune"]
    for parameter in method["parameters"]:
        assert at.get_by_key(f"set-{parameter['name']}").label == parameter["label"]
    assert at.get_by_key("set-momentum").value == 0.9
    at.slider(key="set-momentum").set_value(0.5).run()
    assert at.query_params["set"] == "momentum:0.5"
    at.selectbox(key="unlearn-method").select("neg_grad").run()
    assert not at.exception
    assert at.query_params["method"] == "neg_grad"
    assert "set" not in at.query_params


def test_the_aim_stands_before_anything_has_run(open_page: Open) -> None:
    """Of what a retrained network is kept for, of single images from the ten folds, and of what
    nobody was trained without: there the way to know it."""
    for forget, said in (
        ("random:0.1", "A network retrained without exactly these images labels "),
        ("indices:3,5,8,13,21,34,55,89,144,233", "Ten networks, each trained without another"),
        ("indices:3,5", "label 100.0 % of them correctly"),
    ):
        at = open_page(PAGE, data="digits", forget=forget)
        assert "**The aim.**" in texts(at)
        assert said in texts(at) or said.startswith("label ")
    at = open_page(PAGE, data="digits", forget="class:1,2")
    assert "The aim is not known." in texts(at)
    assert "took " in texts(at)
    at.button(key="retrain-first").click().run()
    assert not at.exception
    assert at.get_by_key("unlearn-method").value == "retrain"
    assert "The aim is not known." not in texts(at)


def test_weights_from_outside_are_asked_for(open_page: Open, runner) -> None:
    """Uploaded, they become a run like any other, whose plan names a kept copy of them."""
    at = open_page(PAGE, **LINK)
    (box,) = (box for box in at.expander if "weights of your own" in box.label)
    assert "same verdict" in box.markdown[0].value
    weights = b"anything: what they are is looked at when the run starts"
    at.get_by_key("brought").set_value(("mine.safetensors", weights, "")).run()
    at.button(key="judge").click().run()
    assert not at.exception
    assert runner.reached.wait(10)
    (plan,) = runner.plans
    assert plan.method == "brought"
    assert str(plan.settings["weights"]).endswith(".safetensors")


def test_a_link_carries_method_settings_and_seed_and_starts_nothing(open_page: Open) -> None:
    at = open_page(PAGE, **LINK, method="fine_tune", set="momentum:0.5,epochs:0.25", seed="3")
    assert at.session_state["unlearn-seed"] == 3
    assert at.get_by_key("set-epochs").value == 0.25
    assert at.session_state["run"] is None
    assert at.button(key="start").label == "Start forgetting"


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"method": "magic"}, "There is no method 'magic'"),
        ({"set": "momentum:9"}, "cannot be 9; 0.99 is set"),
        ({"set": "momentum:"}, "settings 'momentum:' cannot be read"),
        ({"set": 'momentum:"x"'}, "cannot be 'x'"),
        ({"seed": "-1"}, "is not a whole number"),
        ({"run": "../etc/passwd"}, "cannot be one"),
    ],
)
def test_bad_links_give_one_sentence(open_page: Open, params: dict, said: str) -> None:
    at = open_page(PAGE, **LINK, **params)
    assert said in texts(at)
    assert at.button(key="start")


def test_unknown_run_gives_one_sentence_and_a_way_on(open_page: Open) -> None:
    at = open_page(PAGE, run="nobody")
    assert "There is no run 'nobody'" in at.error[0].value
    at.button(key="new-run").click().run()
    assert not at.exception
    assert not at.error


def start(open_page: Open, runner: fakes.Runner):
    at = open_page(PAGE, **LINK)
    at.button(key="start").click().run()
    assert not at.exception
    assert runner.reached.wait(10)
    at.run()
    assert not at.exception
    return at


def test_running_shows_phases_photos_and_the_way_back(open_page: Open, runner) -> None:
    at = start(open_page, runner)
    assert at.progress[0].text == "Step 20 of 40, about 10 s left"
    assert at.progress[0].value == 50
    assert "● Load · " in texts(at)
    assert "◐ **Forget** · " in texts(at)
    assert "○ Check" in texts(at)
    assert "Right about the forgotten photos: about 93.5 %" in texts(at)
    assert texts(at).count("<img ") == 12
    assert "says 0" in texts(at)  # what every photo is called at step 20
    assert len(at.get("vega_lite_chart")) == 1  # one histogram; whose, says its switch
    assert at.query_params["run"] == at.session_state["run"]
    assert "owner" not in at.query_params


def test_the_scrubber_looks_back_while_it_runs(open_page: Open, runner) -> None:
    runner.measured = {"before": fakes.evaluation(), "retrained": fakes.evaluation(0.87, 0.87, 0.5)}
    at = start(open_page, runner)
    (slider,) = (s for s in at.slider if s.key.startswith("live-"))
    assert (slider.min, slider.max, slider.value) == (0, 40, 40)
    assert "At step 20, from 500 photos to forget" in texts(at)
    says = "Right about the forgotten photos"
    now = strip_of(at)[says]
    slider.set_value(10).run()
    assert not at.exception
    assert "At step 10, from" in texts(at)
    assert strip_of(at)[says]["now"] > now["now"] > 0  # further from the ideal then
    assert at.progress  # the run goes on


def test_the_live_strip_is_an_estimate_and_leaves_the_inside_open(open_page: Open, runner) -> None:
    ideal = fakes.evaluation(0.87, 0.87, 0.5)
    runner.measured = {"before": fakes.evaluation(), "retrained": ideal}
    at = start(open_page, runner)
    rows = strip_of(at)
    assert list(rows) == [
        "Spy",
        "Right about the forgotten photos",
        "Recognised inside",
        "Useful on the rest",
    ]
    assert rows["Right about the forgotten photos"]["numbers"].startswith("estimating: 93.5 %")
    assert {row["fill"] for row in rows.values()} <= {"transparent", "currentColor"}
    assert rows["Spy"]["fill"] == "transparent"
    assert rows["Recognised inside"]["now"] is None
    assert rows["Recognised inside"]["numbers"] == "asked after the last step"
    assert "So far, from a sample." in texts(at)


def test_without_an_ideal_a_running_job_says_how_to_know_it(open_page: Open, runner) -> None:
    runner.measured = {"before": fakes.evaluation(mia=0.571), "retrained": None}
    at = start(open_page, runner)
    assert at.progress
    assert "No model was retrained without exactly these images" in texts(at)
    assert strip_of(at) == {}
    runner.release.set()
    assert jobs.queue().join(10)
    at.run()
    assert not at.exception
    assert "As far as these spies can see." in texts(at)


def test_the_verdict_stands_before_the_images_to_keep_are_measured(open_page: Open, runner) -> None:
    done = fakes.run()
    measures = {n: x for n, x in done.after.measures.items() if n != "retain_accuracy"}
    unknown = replace(done.after, measures=measures)
    runner.measured = {"before": done.before, "after": unknown, "retrained": done.retrained}
    at = start(open_page, runner)
    assert at.progress
    word, said = verdicts.stamp(done)
    assert f">{word}<" in texts(at)
    assert f"**{said}**" in texts(at)
    assert "The photos to keep are still being asked about" in texts(at)
    assert "nan" not in texts(at)
    answers = strip_of(at)["Right about the forgotten photos"]
    assert answers["numbers"].startswith("87.5 %")  # of all images, not of a sample


@pytest.mark.parametrize("known", [True, False])
def test_the_verdict_stands_before_the_look_inside(open_page: Open, runner, known: bool) -> None:
    done = fakes.run()
    ideal = done.retrained if known else None
    measures = {name: x for name, x in done.after.measures.items() if name != "re_head"}
    first = replace(done.after, measures=measures)
    runner.measured = {"before": done.before, "after": first, "retrained": ideal}
    at = start(open_page, runner)
    assert f">{verdicts.stamp(replace(done, after=first, retrained=ideal))[0]}<" in texts(at)
    assert "It is being looked at inside." in texts(at)
    assert "too few" not in texts(at)
    if known:
        assert strip_of(at)["Recognised inside"]["numbers"] == "being asked now"


def test_a_live_class_run_asks_the_fair_spy_first(open_page: Open, runner) -> None:
    ideal = fakes.evaluation(0.0, 0.87, 0.96, 0.50, direction="forget higher")
    runner.measured = {"before": fakes.evaluation(), "retrained": ideal}
    at = open_page(PAGE, data="digits", forget="class:1")
    at.button(key="start").click().run()
    assert runner.reached.wait(10)
    at.run()
    assert list(strip_of(at))[:2] == ["Spy, same class", "Says “1”"]


def test_reload_finds_the_run_and_a_shared_link_cannot_stop_it(
    open_page: Open, runner, cookies: dict[str, str]
) -> None:
    at = start(open_page, runner)
    run, owner = at.session_state["run"], at.session_state["owner"]
    for link in ({"run": run}, {"run": run, "owner": owner}):
        other = open_page(PAGE, **link)
        assert "only they can stop it" in texts(other)
        assert "stop" not in {b.key for b in other.button}
        assert "owner" not in other.query_params
        assert other.session_state["owner"] != owner
    cookies[token.COOKIE] = owner  # what the page put into the browser
    reloaded = open_page(PAGE, run=run)
    assert reloaded.button(key="stop")
    reloaded.button(key="stop").click().run()
    assert jobs.queue().join(10)
    reloaded.run()
    assert not reloaded.exception
    assert "stopped after step 21 of 40" in texts(reloaded)


@pytest.mark.parametrize("planted", ["", "x", "A" * 24, "0" * 25, "0" * 23 + "\n", "../../etc"])
def test_a_cookie_that_is_no_token_is_not_taken(
    open_page: Open, cookies: dict[str, str], planted: str
) -> None:
    cookies[token.COOKIE] = planted
    at = open_page()
    assert token.TOKEN.fullmatch(at.session_state["owner"])


@pytest.mark.parametrize("page", ["app.py", "pages/1_Choose.py", PAGE, "pages/7_Methods.py"])
def test_an_address_neither_sets_nor_keeps_a_token(open_page: Open, page: str) -> None:
    at = open_page(page, owner="0" * 24)
    assert at.session_state["owner"] != "0" * 24
    assert "owner" not in at.query_params
    assert not at.warning


def test_second_session_waits_and_sees_its_place(open_page: Open, runner) -> None:
    start(open_page, runner)
    second = open_page(PAGE, **LINK)
    second.button(key="start").click().run()
    assert "Waiting: this run is next in line" in texts(second)
    third = open_page(PAGE, **LINK)
    third.button(key="start").click().run()
    assert "number 2 in line" in texts(third)


def test_other_pages_show_the_way_back(open_page: Open, runner) -> None:
    at = start(open_page, runner)
    at.switch_page("pages/1_Choose.py").run()
    assert at.progress[0].text == "Your run: step 20 of 40"
    assert "Go to it" in [link.label for link in at.get("page_link")]


def test_finished_shows_verdict_replay_and_exports(open_page: Open, runner) -> None:
    at = start(open_page, runner)
    runner.release.set()
    assert jobs.queue().join(10)
    at.run()
    assert not at.exception
    assert ">Forgotten<" in texts(at)
    assert "As far as these spies can see." in texts(at)
    assert list(strip_of(at)) == [
        "Spy",
        "Right about the forgotten photos",
        "Recognised inside",
        "Useful on the rest",
    ]
    assert not at.metric  # no column of numbers
    assert len(at.get("download_button")) == 5
    assert "owner" not in at.query_params
    assert {"new-run", "to-compare", "cheat-mask"} <= {b.key for b in at.button}
    fresh = open_page(PAGE, run=at.session_state["run"])
    assert ">Forgotten<" in texts(fresh)


def test_the_tables_and_the_replay_are_there_once_opened(open_page: Open, keep) -> None:
    keep(fakes.run())
    at = open_page(PAGE, run="run-1")
    boxes = {box.label: box for box in at.expander}
    assert not at.dataframe
    at.session_state["result-run-1-tables"] = True
    at.session_state["result-run-1-view"] = "Replay, step by step"
    at.run()
    assert not at.exception
    assert "The same as tables, and all other numbers" in boxes
    strip, photos, everything, _ = (table.value for table in at.dataframe)
    assert list(strip["now"])[1] == "87.5 %"
    assert len(photos) == 12
    assert set(everything["model"]) == {"Before", "After", "Retrained (ideal)"}
    (slider,) = (s for s in at.slider if s.key.startswith("replay-"))
    slider.set_value(0).run()
    assert "At step 0, from 500 photos" in texts(at)


def test_a_cheat_runs_on_the_same_photos_and_is_called_one(open_page: Open, runner, keep) -> None:
    keep(fakes.run())
    at = open_page(PAGE, run="run-1")
    at.button(key="cheat-mask").click().run()
    assert not at.exception
    assert runner.reached.wait(10)
    (plan,) = runner.plans
    assert (plan.method, plan.request) == ("mask", fakes.plan().request)
    runner.release.set()
    assert jobs.queue().join(10)
    at.run()
    assert "This is a cheat, no method." in texts(at)
    assert "cheat-mask" not in {b.key for b in at.button}
    at.button(key="new-run").click().run()
    assert not at.exception
    assert at.session_state["draft"].method == "fine_tune"
    assert not at.warning


def test_failed_says_what_helps(open_page: Open, runner) -> None:
    runner.fail = fakes.FAILURE
    at = start(open_page, runner)
    runner.release.set()
    assert jobs.queue().join(10)
    at.run()
    assert "The loss became infinite. A smaller learning rate helps." in at.error[0].value
    at.button(key="set-up-again").click().run()
    assert not at.exception
    assert at.button(key="start")


def test_a_handful_is_asked_about_photo_by_photo(open_page: Open, keep) -> None:
    few = replace(fakes.plan(), request=ForgetRequest.of_indices([3, 5, 8, 13, 21]))
    keep(fakes.run("few", few, n=5))
    at = open_page(PAGE, run="few")
    assert ">Photo by photo<" in texts(at)
    assert "Nobody can tell" not in texts(at)
    assert not at.get("vega_lite_chart")  # of five photos a histogram is chance
    assert "cannot be measured" not in texts(at)
    assert texts(at).count("<img ") == 5


def test_without_a_reference_the_ideal_is_not_known(open_page: Open, keep) -> None:
    keep(fakes.run("bare", retrained=None))
    at = open_page(PAGE, run="bare")
    assert ">No verdict<" in texts(at)
    assert "nobody knows the aim" in texts(at)
    assert strip_of(at) == {}


def test_a_class_run_has_the_fair_question_first_and_the_trap(open_page: Open, keep) -> None:
    keep(fakes.class_run())
    at = open_page(PAGE, run="run-class")
    assert next(iter(strip_of(at))) == "Spy, same class"
    assert "**The trap.**" in texts(at)
    assert "95.0 %" in texts(at)
    fair = at.radio(key="result-run-class-question")
    assert fair.value is True
    assert "class-matched membership inference" in texts(at)
    fair.set_value(False).run()
    assert "Its score (membership inference accuracy)" in texts(at)


def test_an_unsaved_run_says_why_shares_no_link_and_can_be_saved_again(
    open_page: Open, runner, monkeypatch
) -> None:
    real = array_files.write_file

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(array_files, "write_file", refuse)
    at = start(open_page, runner)
    runner.release.set()
    assert jobs.queue().join(10)
    at.run()
    assert not at.exception
    assert "could not be saved" in at.warning[0].value
    assert "No space left on device" in at.warning[0].value
    assert "This link shows the result" not in texts(at)
    assert not any("run=" in code.value for code in at.code)
    at.button(key="save-again").click().run()
    assert "No space left on device" in at.error[0].value
    monkeypatch.setattr(array_files, "write_file", real)
    at.button(key="save-again").click().run()
    assert not at.exception
    assert not at.warning
    assert "This link shows the result" in texts(at)
    assert runs.load(at.session_state["run"], at.session_state["owner"]).status == "finished"


def test_a_run_of_a_server_that_died_is_told_at_the_next_tick(open_page: Open) -> None:
    runs.store().begin(fakes.run("theirs", status="running"))
    runs.store().progress("theirs", 6, 78)
    at = open_page(PAGE, run="theirs")
    assert "goes on in another process" in texts(at)
    killed(runs.store(), "theirs")
    at.run()
    assert not at.exception
    assert "ended before the run was saved" in at.error[0].value
    assert "step 6 of 78" in at.error[0].value
