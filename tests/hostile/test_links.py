"""Links that somebody made up: one sentence each, nothing obeyed, nothing started, nothing kept."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.app import fakes
from tests.app.conftest import Open
from tests.app.test_mouths import looked_into
from tests.hostile.conftest import FOREIGN, PICTURE
from ui import links, outside
from ui.services import long_choices

FRONT, CHOOSE, UNLEARN, COMPARE = (
    "app.py",
    "pages/1_Choose.py",
    "pages/2_Unlearn.py",
    "pages/6_Compare.py",
)
INFLUENCE = "pages/8_Influence.py"
HUGE = "9" * 400
UNREADABLE = "What the link wants forgotten cannot be read"
LINKS: list[tuple[str, str, dict[str, str], str]] = [
    ("data: a picture", FRONT, {"data": PICTURE}, "which is not here"),
    ("data: a link", FRONT, {"data": f"[x]({FOREIGN})"}, "which is not here"),
    ("data: an address", FRONT, {"data": FOREIGN}, "which is not here"),
    ("data: a heading", FRONT, {"data": "a\n# b"}, "which is not here"),
    ("data: reversed text", FRONT, {"data": "\u202ea"}, "which is not here"),
    ("data: a null byte", FRONT, {"data": "\0"}, "which is not here"),
    ("data: 5,000 letters", FRONT, {"data": "a" * 5000}, "aaa…'"),
    ("method: a script", FRONT, {"method": "<script>alert(1)</script>"}, "cannot be read"),
    ("method: unknown", UNLEARN, {"method": "__magic__"}, "There is no method"),
    ("model: a path", FRONT, {"model": "../../etc/passwd"}, "cannot be read"),
    ("seed: negative", FRONT, {"seed": "-1"}, "is not a whole number"),
    ("seed: too large", CHOOSE, {"seed": "9999999999"}, "is not a whole number"),
    ("seed: 400 digits", FRONT, {"seed": HUGE}, "is not a whole number"),
    ("seed: other digits", FRONT, {"seed": "٣"}, "is not a whole number"),
    ("forget seed: a fraction", CHOOSE, {"forget_seed": "1.5"}, "is not a whole number"),
    ("count: 400 digits", CHOOSE, {"forget": f"random:{HUGE}"}, "that many images"),
    ("count: 5,000 digits", CHOOSE, {"forget": "random:" + "9" * 5000}, UNREADABLE),
    ("count: infinite", CHOOSE, {"forget": "random:1e999"}, "makes no sense"),
    ("count: negative", CHOOSE, {"forget": "random:-5"}, "Less than no image"),
    ("count: more than there are", CHOOSE, {"forget": "random:898"}, "only 897"),
    ("memorised: 400 digits", UNLEARN, {"forget": f"memorised:{HUGE}"}, "that many images"),
    ("index: 400 digits", CHOOSE, {"forget": f"indices:{HUGE}"}, "of that number"),
    ("index: negative, 400 digits", CHOOSE, {"forget": f"indices:-{HUGE}"}, "of that number"),
    ("index: a word", CHOOSE, {"forget": "indices:1,x"}, UNREADABLE),
    ("class: a picture", UNLEARN, {"forget": f"class:{PICTURE}"}, UNREADABLE),
    ("class: a link", CHOOSE, {"forget": "class:[a](//example.invalid)"}, "No class can be"),
    ("class: a tag", CHOOSE, {"forget": "class:<img src=x>"}, "No class can be named"),
    ("class: a host", CHOOSE, {"forget": "class:www.example.invalid"}, "There is no class"),
    ("class: 5,000 letters", CHOOSE, {"forget": "class:" + "a" * 5000}, "No class can be named"),
    ("class: a share of nothing", CHOOSE, {"forget": "class:3:nan"}, "makes no sense"),
    (
        "JSON: a class that is a picture",
        UNLEARN,
        {"forget": json.dumps({"kind": "classes", "classes": [PICTURE]})},
        "No class can be named",
    ),
    ("JSON: 3,000 brackets", CHOOSE, {"forget": '{"a":' + "[" * 3000}, "not valid JSON"),
    ("JSON: an infinite count", CHOOSE, {"forget": '{"kind":"random","count":1e999}'}, UNREADABLE),
    (
        "JSON: a seed too large",
        CHOOSE,
        {"forget": '{"kind":"random","count":9,"seed":99999999999}'},
        "can be at most",
    ),
    ("JSON: a kind that is a picture", CHOOSE, {"forget": json.dumps({"kind": PICTURE})}, "kind"),
    ("stored: a path", CHOOSE, {"forget": "stored:../../../etc/passwd"}, UNREADABLE),
    ("stored: not here", CHOOSE, {"forget": "stored:" + "0" * 16}, "are not on this server"),
    ("settings: huge", UNLEARN, {"set": "epochs:1" + "0" * 400}, "cannot be read"),
    ("settings: not a number", UNLEARN, {"set": "epochs:NaN"}, "cannot be read"),
    ("settings: 3,000 brackets", UNLEARN, {"set": "epochs:" + "[" * 3000}, "cannot be read"),
    ("settings: a picture", UNLEARN, {"set": f'momentum:"{PICTURE}"'}, "cannot be"),
    ("settings: a name that is a picture", UNLEARN, {"set": PICTURE}, "cannot be read"),
    ("run: a path", UNLEARN, {"run": "../../etc/passwd"}, "cannot be one"),
    ("run: a picture", UNLEARN, {"run": PICTURE}, "cannot be one"),
    ("run: unknown", UNLEARN, {"run": "__nobody__"}, "cannot be one"),
    ("run: nobody's", UNLEARN, {"run": "nobody"}, "There is no run 'nobody'"),
    ("photo: a picture", INFLUENCE, {"photo": PICTURE}, "is not the number of one"),
    ("photo: 400 digits", INFLUENCE, {"photo": HUGE}, "is not the number of one"),
    ("photo: not there", INFLUENCE, {"photo": "99999"}, "There is no test photo 99999"),
    ("runs: nobody's", COMPARE, {"runs": "a,b,c,d,e"}, "'a', 'b', 'c' and 2 more"),
    (
        "runs: 1,500",
        COMPARE,
        {"runs": ",".join(f"r{i}" for i in range(1500))},
        "names 1,500 runs, and can name 50",
    ),
    (
        "runs: 1,500 pictures",
        COMPARE,
        {"runs": ",".join(f"{PICTURE}{i}" for i in range(1500))},
        "names 1,500 runs",
    ),
]


def alarms(at) -> list[str]:
    """The sentences that say something is wrong."""
    return [element.value for element in (*at.warning, *at.error)]


def alive(text: str) -> list[str]:
    """What Streamlit's Markdown would make a picture, a link, a tag, a formula or an icon of."""
    return re.findall(r"(?<!\\)[\[\]<>$`]|https?://|www\.|:[a-z_]+(?:/[a-z_]+)?:", text)


@pytest.mark.parametrize(
    ("page", "params", "said"), [pytest.param(*row[1:], id=row[0]) for row in LINKS]
)
def test_a_bad_link_is_one_sentence(
    open_page: Open, page: str, params: dict[str, str], said: str, cache: Path
) -> None:
    start = {"data": "digits"} if page != FRONT else {}
    if page == UNLEARN and "run" not in params:
        start["forget"] = "random:0.1"
    at = open_page(page, **(start | params))
    [sentence] = alarms(at)
    assert said in sentence.replace(outside.JOINER, "").replace("\\", "")
    assert len(sentence) < 700
    assert alive(sentence) == []
    assert not (cache / "requests").exists()
    assert at.session_state["jobs"] == []


def test_a_stored_choice_that_is_binary_is_one_sentence(open_page: Open, cache: Path) -> None:
    (cache / "requests").mkdir()
    (cache / "requests" / ("a" * 16 + ".json")).write_bytes(bytes(range(256)))
    at = open_page(CHOOSE, data="digits", forget="stored:" + "a" * 16)
    [sentence] = alarms(at)
    assert "are damaged on this server" in sentence


@pytest.fixture
def photos(monkeypatch: pytest.MonkeyPatch) -> None:
    """A link carries 100 indices: the digits are fewer than the thousand that it really does."""
    monkeypatch.setattr(links, "MOST_INDICES", 100)


def full(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_looking_at_a_long_choice_stores_nothing(
    open_page: Open, photos: None, cache: Path
) -> None:
    chosen = ",".join(map(str, range(200)))
    for page in (CHOOSE, UNLEARN):
        at = open_page(page, data="digits", forget=f"indices:{chosen}")
        assert not alarms(at)
        assert at.query_params["forget"].startswith("stored:")
        assert not (cache / "requests").exists()
        at.run()
        assert len(at.session_state["draft"].request.indices) == 200


def test_a_long_choice_is_stored_when_it_is_shared(
    open_page: Open, photos: None, cache: Path
) -> None:
    at = open_page(CHOOSE, data="digits", forget="indices:" + ",".join(map(str, range(200))))
    at.session_state["link-box"] = True
    at.run()
    [file] = (cache / "requests").iterdir()
    assert f"stored:{file.stem}" in at.code[0].value
    assert len(long_choices.find(file.stem).indices) == 200


def test_a_long_choice_is_stored_when_it_is_run(
    open_page: Open, photos: None, cache: Path, runner: fakes.Runner
) -> None:
    at = open_page(UNLEARN, data="digits", forget="indices:" + ",".join(map(str, range(200))))
    at.button(key="start").click().run()
    assert len(list((cache / "requests").iterdir())) == 1


def test_a_long_choice_on_a_full_disk(
    open_page: Open, photos: None, monkeypatch: pytest.MonkeyPatch, runner: fakes.Runner
) -> None:
    monkeypatch.setattr(long_choices, "write_file", full)
    chosen = "indices:" + ",".join(map(str, range(200)))
    at = open_page(CHOOSE, data="digits", forget=chosen)
    assert not alarms(at)
    at.session_state["link-box"] = True
    at.run()
    assert not at.exception
    [sentence] = alarms(at)
    assert "No space left on device" in sentence
    at = open_page(UNLEARN, data="digits", forget=chosen)
    at.button(key="start").click().run()
    assert not at.exception
    assert not alarms(at)
    assert len(at.session_state["jobs"]) == 1


EVIL = f"a {PICTURE} [b]({FOREIGN}) {FOREIGN} www.example.invalid :material/home: $x$ <b>"


@pytest.mark.parametrize("page", [UNLEARN, COMPARE])
def test_what_a_stored_run_says_is_not_obeyed(open_page: Open, keep, page: str) -> None:
    """A run of an older version, on somebody's own data, with names that no longer pass."""
    of = fakes.plan(dataset=EVIL)
    for id in ("one", "two"):
        keep(fakes.run(id, fakes.replace(of, request=of.request.of_classes(EVIL)), error=EVIL))
    at = open_page(page, **({"run": "one"} if page == UNLEARN else {"runs": "one,two"}))
    shown = [e.value for e in (*at.markdown, *at.caption, *at.info, *at.warning, *at.error)]
    about = [text for text in shown if "example" in text]
    if page == COMPARE:  # there it stands in a box of options, which knows no Markdown
        assert any("example" in said for said in at.selectbox(key="compare-set").options)
    else:
        assert about
    for text in about:
        assert alive(text.replace(":material/power_off:", "")) == []


def test_new_run_on_a_data_set_of_ones_own(open_page: Open, keep) -> None:
    keep(fakes.run("own", fakes.plan(dataset="birds")))
    at = open_page(UNLEARN, run="own")
    at.button(key="new-run").click().run()
    assert not at.exception
    [sentence] = alarms(at)
    assert "'birds', a data set of one's own" in sentence
    at.switch_page(CHOOSE).run()
    assert not at.exception
    assert "'birds', a data set of one's own" in alarms(at)[0]
    at.button(key="use-digits").click().run()
    assert not at.exception
    assert alarms(at) == []


@pytest.mark.parametrize(
    "text",
    [
        PICTURE,
        f"[x]({FOREIGN})",
        FOREIGN,
        "HTTP://example.invalid",
        "www.example.invalid",
        "<img src=x>",
        ":material/home: :red[x] :smile:",
        "$x$ `y` ~z~ *a* _b_",
        "# a",
    ],
)
def test_plain_text_is_not_alive_and_reads_the_same(text: str) -> None:
    shown = outside.plain(text)
    assert alive(shown) == []
    assert shown.replace(outside.JOINER, "").replace("\\", "") == text


@pytest.mark.parametrize("page", [CHOOSE, UNLEARN])
def test_a_large_seed_is_shown_as_it_is(open_page: Open, page: str) -> None:
    at = open_page(
        page, data="digits", forget="random:0.1", forget_seed="99999999", seed="2147483647"
    )
    assert alarms(at) == []
    assert at.session_state["draft"].seed == 2147483647
    assert at.session_state["draft"].request.seed == 99999999


def test_a_class_name_is_not_obeyed_in_the_look_inside(open_page: Open, keep) -> None:
    of = fakes.plan(dataset=EVIL)
    done = fakes.class_run("inside")
    found = fakes.replace(
        done,
        plan=fakes.replace(of, request=of.request.of_classes(EVIL)),
        **{
            model: looked_into(getattr(done, model), 0.0, share, 0.85)
            for model, share in (("before", 0.95), ("after", 0.93), ("retrained", 0.85))
        },
    )
    keep(found)
    at = open_page(UNLEARN, run="inside")
    about = [e.value for e in at.markdown if "with a new last layer, the ideal" in e.value]
    assert about
    assert alive(about[0]) == []
