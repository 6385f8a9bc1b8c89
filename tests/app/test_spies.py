"""Every spy of a finished run: its curve, its threshold, the photos that it is surest of."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.attacks.curve import auc
from core.metrics.measures import Evaluation
from core.runs.run import Run
from core.runs.run_files import run_from_files
from tests.app import fakes
from tests.app.conftest import ROOT, Open, viewed
from tests.app.drawn import rows
from tests.app.test_front import texts
from ui.wording import spies as words

PAGE = "pages/2_Unlearn.py"
FORGOTTEN, NEW = 90, 900
"""Photos of a random tenth of the digits, and test photos."""


def told(evaluation: Evaluation, share: float) -> Evaluation:
    """The margin spy ranks so many of the forgotten photos above all new ones, the others below."""
    above = round(share * FORGOTTEN)
    members = np.where(np.arange(FORGOTTEN) < above, 2.0, -1.0) + np.arange(FORGOTTEN) / 1e3
    spy = auc(members, np.arange(NEW) / NEW)
    return dataclasses.replace(evaluation, measures={**evaluation.measures, "margin_auc": spy})


def watched(**fields: object) -> Run:
    """Of 90 photos 80 % were told before, 30 % are now, and 10 % are with the ideal."""
    found = fakes.run("watched", n=FORGOTTEN, **fields)
    shares = {"before": 0.8, "after": 0.3, "retrained": 0.1}
    models = {
        m: dataclasses.replace(
            told(getattr(found, m), share), test_losses=fakes.losses(NEW, 0.9, 1)
        )
        for m, share in shares.items()
    }
    return dataclasses.replace(found, **models)


def look(open_page: Open, id: str) -> AppTest:
    return viewed(open_page, id, "Every spy, every threshold")


@pytest.fixture
def spied(open_page: Open, keep) -> AppTest:
    keep(watched())
    return look(open_page, "watched")


def test_the_sentence_the_curve_and_the_photos_are_of_the_threshold(spied: AppTest) -> None:
    text = texts(spied)
    assert "accuses **30.0 %** of the forgotten" in text
    assert "**5.0 %** of the new" in text
    assert "right about **62.5 %**" in text  # (30 + 95) / 2
    assert "With the ideal it would accuse 10.0 %" in text
    assert "**20.0 points** more, so they are still told" in text
    assert "Rightly accused: 27, some of the surest" in text
    assert "Wrongly accused: 45, some of the surest" in text
    assert text.count("more familiar than 100.0 % of the new photos") == 6
    assert text.count("more familiar than 70.0 % of the forgotten photos") == 6
    slider = spied.slider(key="spies-watched-above")
    slider.set_value(50).run()
    assert "**50.0 %** of the new" in texts(spied)


def test_another_network_and_the_table(spied: AppTest) -> None:
    spied.session_state["spies-watched-whose"] = "before"
    spied.session_state["spies-watched-twin"] = True
    spied.run()
    assert "With the network before this threshold accuses **80.0 %**" in texts(spied)
    assert "With the ideal it would" not in texts(spied)
    (twin,) = (t.value for t in spied.dataframe if "network" in t.value)
    at_95 = twin[twin["accused above (%)"] == 95]
    assert list(at_95["forgotten photos accused (TPR)"].round(3)) == [80, 30, 10]
    curves = [found for c in spied.get("vega_lite_chart") if (found := rows(c, "wrongly"))]
    assert curves


def test_what_shipped_has_curves_and_says_that_its_photos_are_not_here(
    open_page: Open, ship
) -> None:
    run = run_from_files(ROOT / "models_cache" / "runs", "c21021b56f7f")
    ship(run)
    at = look(open_page, run.id)
    assert "The photos are not on this machine" in texts(at)
    assert len(at.selectbox(key=f"spies-{run.id}-which").options) == 6
    at.selectbox(key=f"spies-{run.id}-which").select("mirrored_margin").run()
    assert not at.exception


def test_a_run_that_does_not_have_them_says_so(open_page: Open, keep) -> None:
    keep(fakes.run("few", n=3, retrained=None))
    at = look(open_page, "few")
    assert "does not have what each spy made of each photo" in texts(at)


def test_chance_is_not_called_a_difference() -> None:
    same = watched()
    from core.runs.lineups import lineups_of

    lines = lineups_of(same, "margin")
    assert "chance alone" in words.beside_ideal(lines["after"], lines["after"], 0.95)
    pushed = words.beside_ideal(lines["retrained"], lines["before"], 0.95)
    assert "fewer, so they were pushed too far away" in pushed
    assert words.beside_ideal(lines["after"], None, 0.5) == words.NO_IDEAL
