"""The screen of influence: which photos taught it, forgetting five, and what can go wrong."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest

from core.data.requests import ForgetRequest
from core.errors import CheckpointMissing, Diverged
from tests.app.conftest import Open
from tests.app.test_front import texts
from ui import links
from ui.charts.deletions import predicted_against_actual
from ui.services import influence
from ui.wording import influence as words

PAGE = "pages/8_Influence.py"
NAMES = ("cat", "dog", "frog")


def wait_for_head() -> None:
    made = influence.reading("compact", "digits")
    until = time.monotonic() + 120
    while made.running and time.monotonic() < until:
        time.sleep(0.05)
    assert made.head is not None, made.error


def test_from_a_wrong_answer_to_the_photos_behind_it(open_page: Open, monkeypatch) -> None:
    """Nothing is computed unasked; then helped, misled, five forgotten, taken along to Choose."""
    at = open_page(PAGE, data="digits")
    wrong = int(at.query_params["photo"])
    assert "Of 900 it answers 72 wrongly" in texts(at)
    assert ": wrong, it is **" in texts(at)
    assert not influence.reading("compact", "digits").running
    assert "all 897 training photos" in texts(at)
    at.button(key="influence-start").click().run()
    wait_for_head()
    at.run()
    assert not at.exception
    for said in ("Helped it", "Misled it", "Of the 10 that helped most", "Half of all influence"):
        assert said in texts(at)
    assert "have a label that is wrong on purpose" in texts(at)
    assert not at.get("vega_lite_chart")
    at.button(key="influence-forget").click().run()
    assert not at.exception
    assert "Predicted: the loss on this photo changes by -" in texts(at)
    assert "Over 22 removals" in texts(at)
    assert "correlation of 0.9" in at.get("vega_lite_chart")[0].proto.alt
    at.button(key="influence-until").click().run()
    assert not at.exception
    assert re.search(r"(With|Even with)out the [\d,]+ that misled it most", texts(at))
    monkeypatch.setattr(influence, "SAMPLE", 4)
    monkeypatch.setattr(influence, "ITERATIONS", 1)
    at.button(key="influence-ask").click().run()
    assert not at.exception
    assert "Of these 20 photos, both say the same of " in texts(at)
    # Another choice has no result yet; and the way on has exactly what was picked.
    at.segmented_control(key="influence-way").set_value("helped it").run()
    assert not at.get("vega_lite_chart")
    found = influence.explained("compact", "digits", wrong)
    at.button(key="influence-choose").click().run()
    assert not at.exception
    five = ForgetRequest.of_indices(np.argsort(found.influence)[:5].tolist())
    assert at.session_state["draft"].request == five
    assert "5 of 897" in texts(at)


def test_a_link_opens_the_photo_and_starts_nothing(open_page: Open) -> None:
    at = open_page(PAGE, data="digits", photo="7")
    assert "Test photo 7. The network says" in texts(at)
    assert not influence.reading("compact", "digits").running
    at = open_page(PAGE, data="digits", photo="99999")
    assert "There is no test photo 99999" in texts(at)
    at = open_page(PAGE, data="digits", photo="cat")
    assert "'cat' is not the number of one" in texts(at)
    assert links.image_index("12") == (12, [])
    assert links.image_index(None) == (None, [])


def test_a_failure_is_one_sentence_and_can_be_tried_again(open_page: Open, monkeypatch) -> None:
    def diverges(*_: object):
        yield from ()
        raise Diverged("The last layer could not be fitted.", "A larger L2 penalty helps.")

    monkeypatch.setattr("core.checkpoints.fitted_heads.fitted_head", diverges)
    at = open_page(PAGE, data="digits", photo="7")
    at.button(key="influence-start").click().run()
    made = influence.reading("compact", "digits")
    while made.running:
        time.sleep(0.01)
    at.run()
    assert "The last layer could not be fitted" in at.error[0].value
    assert at.button(key="influence-start").label == "Try again"


def test_without_photos_or_model_it_says_what_helps(open_page: Open, monkeypatch) -> None:
    at = open_page(PAGE, data="cifar10")
    at.button(key="use-digits").click().run()
    assert not at.exception
    assert "Of 900 it answers" in texts(at)

    def missing(*_: object) -> None:
        raise CheckpointMissing("There is no base model.", "Train one.")

    monkeypatch.setattr("core.checkpoints.storage.find", missing)
    influence.answers.clear()
    assert "There is no base model." in open_page(PAGE, data="digits").error[0].value


def test_progress_shows_and_can_be_stopped(open_page: Open, monkeypatch) -> None:
    from core.checkpoints.fitted_heads import Progress

    def slow(*_: object):
        while True:
            time.sleep(0.01)
            yield Progress("features", 300, 897)

    monkeypatch.setattr("core.checkpoints.fitted_heads.fitted_head", slow)
    at = open_page(PAGE, data="digits", photo="7")
    at.button(key="influence-start").click().run()
    made = influence.reading("compact", "digits")
    while not made.done:
        time.sleep(0.01)
    at.run()
    assert "300 of 897" in at.get("progress")[0].proto.text
    stranger = open_page(PAGE, data="digits", photo="7")
    assert "Another visitor started this" in texts(stranger)
    assert not [b for b in stranger.button if b.key == "influence-stop"]
    at.button(key="influence-stop").click().run()
    until = time.monotonic() + 10
    while made.running and time.monotonic() < until:
        time.sleep(0.01)
    assert made.head is None
    at.run()
    assert at.button(key="influence-start")


def test_the_words() -> None:
    head = np.array([0.1, 0.85, 0.05])
    text = words.answer("cat", "dog", head, NAMES)
    assert "wrong, it is **cat**" in text
    assert "gives *cat* 10.00 % and *dog* 85.00 %" in text
    text = words.who(["cat"] * 10, ["dog"] * 7 + ["frog"] * 3, "cat", "dog")
    assert "all are of *cat*" in text
    assert "7 are of *dog*" in text
    assert "to take this one for another of them" in text
    mixed = ["dog", "frog", "dog", "cat"]
    assert "no more than 2 are of one class" in words.who(["cat"], mixed, "cat", "dog")
    assert "It learned" not in words.who(["cat"], mixed, "cat", "dog")
    assert "there are none" in words.who([], ["dog"], "cat", "cat")
    assert "1 of the 4 training photos (25.0 %)" in words.concentrated(np.array([5.0, -1, 1, 2]))
    assert words.concentrated(np.zeros(3)) == ""
    after = np.array([0.6, 0.35, 0.05])
    text = words.forgotten(-0.5, -0.9, head, after, 0, NAMES)
    assert "changes by -50 %" in text
    assert "**-90 %**" in text
    assert "from 10.00 % to 60.00 %, and the answer from *dog* to *cat*" in text
    assert "stays *dog*" in words.forgotten(0.1, 0.1, head, head, 0, NAMES)
    assert "2.10 times the prediction" in words.agreement(0.99, 2.1, 23)
    assert "the sizes agree" in words.agreement(1.0, 1.05, 23)
    text = words.turned(200, True, after, 50_000, 0, NAMES)
    assert text == (
        "Without the 200 that misled it most (0.4 % of all) the answer is *cat*, with 60.0 %."
    )
    assert "Even without the 20 that" in words.turned(20, False, head, 90, 0, NAMES)
    assert "stays *dog*" in words.turned(0, False, head, 90, 0, NAMES)
    both = words.of_whole_network(np.array([1.0, -2, 3]), np.array([0.5, 1, 2]))
    assert "both say the same of 2" in both
    assert "rank correlation of 0.50" in both
    assert "Nothing moved" in words.agreement(float("nan"), 1.0, 23)


@pytest.mark.parametrize(
    ("change", "said"),
    [(0.123, "+12 %"), (-0.0123, "-1.2 %"), (0.00056, "+0.056 %"), (1e-6, "+under 0.01 %"),
     (-2.5, "-250 %"), (0.0, "+0 %")],
)  # fmt: skip
def test_a_share_of_the_loss(change: float, said: str) -> None:
    assert words.share_of_loss(change) == said


def test_the_scatter_has_equal_axes_and_one_meaning_of_orange() -> None:
    chart = predicted_against_actual(
        ["chosen", "at random"], [5, 5], [-0.2, 0.01], [-0.3, 0.0], "what it says"
    ).to_dict()
    points = chart["layer"][1]["encoding"]
    assert points["x"]["scale"]["domain"] == points["y"]["scale"]["domain"]
    low, high = points["x"]["scale"]["domain"]
    assert low < -0.3
    assert high > 0.01
    assert points["color"]["scale"]["range"][0] == "#D55E00"
    assert points["color"]["scale"]["range"].count("#D55E00") == 1
