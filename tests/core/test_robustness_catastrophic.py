"""What a class loses on the way and gets back, by hand."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from core.robustness.catastrophic import Look, dips
from core.runs.dips import dips_of
from core.runs.run import Probe, Snapshot
from core.runs.shell.report import report, table
from tests.core.test_store import a_run


def look(*right: int, seen: tuple[int, ...] = (50, 50, 0, 50)) -> Look:
    return np.array(right), np.array(seen)


LOOKS = [look(45, 40, 0, 30), look(20, 39, 0, 32), look(5, 38, 0, 30), look(35, 40, 0, 31)]


def test_the_deepest_drop_comes_first_with_its_recovery() -> None:
    found = dips(LOOKS)
    assert [dip.label for dip in found] == [0, 1, 3]  # of class 2 there is no image
    deepest = found[0]
    assert (deepest.before.value, deepest.lowest.value, deepest.last.value) == (0.9, 0.1, 0.7)
    assert deepest.at == 2
    assert deepest.drop.value == pytest.approx(0.8)
    assert 0.5 < deepest.drop.low < 0.8 < deepest.drop.high < 1
    assert deepest.recovered == pytest.approx(0.6 / 0.8)
    assert deepest.to_dict()["recovered"] == deepest.recovered


def test_a_drop_that_may_be_luck_has_no_recovery() -> None:
    _, small, none = dips(LOOKS)
    assert small.drop.value == pytest.approx(0.04)
    assert small.drop.low < 0
    assert small.recovered is None
    assert (none.drop.value, none.at) == (0, 0)


def test_where_nothing_moves_nothing_drops() -> None:
    assert all(dip.drop.value == 0 for dip in dips([LOOKS[0]] * 3))
    assert all(dip.recovered is None for dip in dips(LOOKS[:1]))
    assert dips([]) == []


def test_what_never_comes_back() -> None:
    (dip,) = dips([look(40, seen=(50,)), look(0, seen=(50,)), look(0, seen=(50,))])
    assert dip.recovered == 0
    assert dip.at == 1


def probes(looks: list[Look]) -> tuple[Snapshot, ...]:
    """Looks at steps 0, 10, 20, ..., and a snapshot between them that has none."""
    losses = np.zeros(3, np.float32)
    found = [
        Snapshot(
            10 * i, 30, "unlearning", 0, 0, 0,
            probe=Probe(losses, losses, 1, 1, None, class_right=right, class_seen=seen),
        )
        for i, (right, seen) in enumerate(looks)
    ]  # fmt: skip
    return (*found, Snapshot(31, 31, "unlearning", 0, 0, 0))


def test_a_run_says_which_class_fell_deepest() -> None:
    run = dataclasses.replace(
        a_run(), replay=probes(LOOKS), data={"class_names": ["ant", "bee", "cat", "dog"]}
    )
    assert [(dip.label, dip.at) for dip in dips_of(run.replay)] == [(0, 20), (1, 20), (3, 0)]
    assert [dip["label"] for dip in report(run)["classes"]] == [0, 1, 3]
    assert "deepest fall of a class to keep: ant, 90 to 10 % at step 20, 70 % at the end" in table(
        run
    )
    calm = dataclasses.replace(run, replay=probes(LOOKS[:1]))
    assert not any("deepest" in line for line in table(calm))
    older = dataclasses.replace(run.replay[0].probe, class_right=None, class_seen=None)
    assert dips_of([dataclasses.replace(run.replay[0], probe=older)]) == []


def test_import_is_light() -> None:
    code = "import core.runs.dips, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
