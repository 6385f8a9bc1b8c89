"""What the anchor gives back: the sentence follows the numbers, and is on screen if measured."""

from __future__ import annotations

import json

import pytest

from core.errors import LabError
from tests.app.conftest import Open
from tests.app.test_front import texts
from ui.services import shipped
from ui.wording import anchor


def rows(
    aggressive: float, anchored: float, lower: float, forget: float = 0.02, seeds: int = 3
) -> list[dict]:
    """Rows as benchmarks/story.py writes them; each seed a little apart, the same for all."""
    found: list[dict] = []
    for seed in range(seeds):
        for name, accuracy in (
            (anchor.AGGRESSIVE, aggressive),
            (anchor.ANCHORED, anchored),
            (anchor.LOWER, lower),
            (anchor.PRESET, 0.86),
        ):
            found.append(
                {
                    "name": name,
                    "seed": seed,
                    "forget_accuracy": forget,
                    "retained_test_accuracy": accuracy + 0.001 * seed,
                    "mia": 0.95,
                    "mia_class_matched": None if seed == 0 else 0.51,
                }
            )
    numbers = {"retained_test_accuracy": 0.871, "mia": 0.58, "mia_class_matched": 0.57}
    found.append({"name": "before", "forget_accuracy": 0.999, **numbers})
    found.append({"name": "retrained", "forget_accuracy": 0.0, **numbers})
    return found


@pytest.mark.parametrize(
    ("numbers", "answer"),
    [
        ((0.82, 0.84, 0.83), "gives back more than a plain lower"),
        ((0.82, 0.84, 0.82), "gives back more than a plain lower"),
        ((0.82, 0.84, 0.8401), "does as well"),
        ((0.82, 0.84, 0.86), "does better still"),
        ((0.82, 0.82, 0.85), "gives nothing back here; a plain lower"),
        ((0.82, 0.81, 0.8205), "Neither the anchor nor a lower"),
    ],
)
def test_the_answer_follows_the_numbers(numbers: tuple, answer: str) -> None:
    text = anchor.finding(rows(*numbers))
    assert answer in text
    assert "forgotten alike: at most 2.0 %" in text


def test_the_numbers_stand_in_the_sentence() -> None:
    text = anchor.finding(rows(0.82, 0.84, 0.83))
    for number in ("82.1 %", "84.1 %", "83.1 %", "+2.0 points", "+1.0 points", "87.1 % before"):
        assert number in text
    assert "3 seeds" in text
    assert "one seed" in anchor.finding(rows(0.82, 0.84, 0.83, seeds=1))


def test_a_gain_that_one_seed_does_not_show_is_none() -> None:
    found = rows(0.82, 0.84, 0.82)
    found[1]["retained_test_accuracy"] = 0.80
    assert "Neither" in anchor.finding(found)


def test_unequal_forgetting_is_no_fair_comparison() -> None:
    assert "no fair comparison" in anchor.finding(rows(0.82, 0.84, 0.83, forget=0.2))


def test_nothing_is_said_without_the_three_kinds() -> None:
    assert anchor.finding([]) == ""
    assert anchor.finding([r for r in rows(0.82, 0.84, 0.83) if r["name"] != anchor.LOWER]) == ""


def test_the_table_has_means() -> None:
    lines = anchor.table(rows(0.82, 0.84, 0.83))
    assert [line["model"] for line in lines] == [
        "before",
        anchor.AGGRESSIVE,
        anchor.ANCHORED,
        anchor.LOWER,
        anchor.PRESET,
        "retrained",
    ]
    assert lines[1]["right on new images it kept"] == pytest.approx(0.821)
    assert lines[1]["spy's score, same class"] == pytest.approx(0.51)


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"seed": 1}]'])
def test_a_damaged_file_is_one_sentence(text: str) -> None:
    assert shipped.anchor_rows() == []
    shipped.SHIPPED.mkdir(parents=True)
    (shipped.SHIPPED / "story.json").write_text(text)
    with pytest.raises(LabError, match="cannot be read"):
        shipped.anchor_rows()


def test_it_is_on_screen_where_it_was_measured(open_page: Open) -> None:
    assert anchor.QUESTION not in texts(open_page("pages/6_Compare.py"))
    shipped.SHIPPED.mkdir(parents=True)
    (shipped.SHIPPED / "story.json").write_text(json.dumps(rows(0.82, 0.84, 0.8401)))
    assert "does as well" in texts(open_page("pages/6_Compare.py"))
    link = {"data": "digits", "forget": "class:1", "method": "anchored_fine_tune"}
    assert "does as well" in texts(open_page("pages/2_Unlearn.py", **link))
