"""Be the spy: ten photos of a finished run, their answers, and the score beside the attack's."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.errors import BadRequest
from core.runs.run_files import run_from_files
from core.runs.suspects import EACH, suspects
from tests.app import fakes
from tests.app.conftest import ROOT, Open, viewed
from tests.app.test_front import texts
from tests.app.test_spies import watched
from ui.services import images
from ui.wording import be_the_spy as words

PAGE = "pages/2_Unlearn.py"


def play(open_page: Open, id: str) -> AppTest:
    return viewed(open_page, id, "Be the spy")


def test_five_and_five_of_the_same_classes_and_the_attack_is_as_the_spy() -> None:
    run = watched()
    data, parts = images.dataset("digits"), images.split("digits", run.plan.request)
    found = suspects(run, data, parts, seen=np.arange(60))
    old = [photo for photo in found.photos if photo.trained]
    new = [photo for photo in found.photos if not photo.trained]
    assert len(old) == len(new) == EACH
    assert sorted(p.label for p in old) == sorted(p.label for p in new)
    positions = [int(np.searchsorted(parts.forget, photo.index)) for photo in old]
    assert list(parts.forget[positions]) == [photo.index for photo in old]
    assert min(positions) >= 60  # the others are shown above
    assert not np.asarray(data.wrong_labels)[[photo.index for photo in old]].any()
    # Before, 72 of the 90 lie above all new photos, and the others below.
    above = sum(position < 72 for position in positions)
    assert found.score("before") == 10 - 2 * (5 - above)
    assert found == suspects(run, data, parts, seen=np.arange(60))
    assert found != suspects(run, data, parts, turn=1, seen=np.arange(60))
    with pytest.raises(BadRequest, match="ten photos"):
        suspects(fakes.run(n=3), data, parts)


def test_a_whole_game_survives_another_page_and_ends_with_both_scores(
    open_page: Open, keep
) -> None:
    run = watched()
    keep(run)
    at = play(open_page, "watched")
    assert at.button(key="spy-watched-0-show").disabled
    data, parts = images.dataset("digits"), images.split("digits", run.plan.request)
    from core.data.splits import drawn

    found = suspects(run, data, parts, 0, drawn(np.arange(90), 12))
    for place, photo in enumerate(found.photos):
        right = photo.trained if place else not photo.trained  # one mistake
        at.session_state["spy-watched-0"] = {
            **at.session_state["spy-watched-0"], place: right,
        }  # fmt: skip
    at.switch_page("pages/7_Methods.py").run()
    at.switch_page(PAGE)
    at.query_params["run"] = "watched"
    at.run()
    at.session_state["result-watched-view"] = "Be the spy"
    at.run()
    assert "10 of 10 answered" in texts(at)
    at.button(key="spy-watched-0-show").click().run()
    assert not at.exception
    text = texts(at)
    assert f"You: 9 of 10. Margin attack: {found.score('after')} of 10." in text
    assert f"Before unlearning it would have had {found.score('before')} right" in text
    assert f"never saw the five, {found.score('retrained')}, by chance alone" in text
    assert "in 1.1 % of games" in text  # 11 of 1,024
    at.button(key="spy-watched-0-next").click().run()
    assert "0 of 10 answered" in texts(at)


def test_without_the_photos_it_says_how_to_get_them(open_page: Open, ship) -> None:
    ship(run_from_files(ROOT / "models_cache" / "runs", "c21021b56f7f"))
    at = play(open_page, "c21021b56f7f")
    assert "its photos are not on this machine" in texts(at)
    assert any(button.key == "download" for button in at.button)


def test_other_images_and_too_few_photos_are_said(open_page: Open, keep) -> None:
    other = watched()
    keep(dataclasses.replace(other, data={**other.data, "forget_digest": "0" * 16}))
    assert words.OTHERS in texts(play(open_page, "watched"))
    keep(fakes.run("few", n=3, retrained=None))
    assert "ten photos at least" in texts(play(open_page, "few"))
