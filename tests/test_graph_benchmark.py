"""The benchmark of graphs: a setting becomes a line once, and the table and the app say what the
lines say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import graphs, graphs_table
from benchmarks.log import Log
from core.graphs.methods import make
from core.graphs.methods.base import GraphMethod
from core.graphs.recipe import GraphRecipe
from tests import tiny_graph


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Writes elsewhere, of a tiny graph."""
    monkeypatch.setattr(graphs, "RESULTS", tmp_path)
    monkeypatch.setattr(graphs, "SUMMARY", tmp_path / "graphs.json")
    monkeypatch.setattr(graphs, "LOG", Log(str(tmp_path / "graphs.jsonl")))
    monkeypatch.setattr(graphs, "MANY", 30)
    monkeypatch.setattr(graphs, "load_graph", lambda name, folder, seed: tiny_graph.dataset())

    def recipe(kind: str, self_loops: bool) -> GraphRecipe:
        return GraphRecipe(kind, hidden=4, epochs=5, self_loops=self_loops)  # type: ignore[arg-type]

    def made(name: str, settings: dict[str, str] | None = None) -> GraphMethod:
        short = {"epochs": 5} if name == "graph_eraser" else {}
        return make(name, {**(settings or {}), **short})

    monkeypatch.setattr(graphs, "GraphRecipe", recipe)
    monkeypatch.setattr(graphs, "make", made)
    return tmp_path


def test_what_ships_is_made_from_the_log() -> None:
    lines = graphs.LOG.lines()
    if not lines:
        pytest.skip("the benchmark of graphs has not been run")
    assert (graphs.RESULTS / "graphs.md").read_text() == graphs_table.table(lines)
    assert json.loads(graphs.SUMMARY.read_text()) == graphs_table.summary(lines)


SMALL = ["--datasets", "cora", "--kinds", "gcn", "--seeds", "2", "--methods"]


def test_a_setting_has_one_line(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graphs.main([*SMALL, "retrain", "random", "--share", "0/2"])
    first = len(graphs.LOG.lines())
    graphs.main([*SMALL, "retrain", "random"])
    lines = graphs.LOG.lines()
    assert (first, len(lines)) == (4, 8)  # two seeds, self-loops on and off, two methods
    for line in lines:
        assert 0 < line["one"] < 60
        assert (line["one_weighing"] > 0) == (line["method"] == "random")
        assert line["many_weighing"] < line["many"]
        assert ("twice" in line) == (line["method"] == "retrain")
        assert set(line["before"]) == (
            {""} if line["method"] == "retrain" else set(graphs_table.HOW)
        )
    shards = [line["shards"] for line in lines if line["method"] == "random"]
    assert all(found[:3] == [1, 1, 1] and found[3] > 5 for found in shards)
    monkeypatch.setattr(graphs, "measured", lambda *_: pytest.fail("a setting is run again"))
    graphs.main([*SMALL, "retrain", "random"])
    assert (bench / "graphs.md").read_text() == graphs_table.table(lines)


def line(method: str, right: float, loops: bool, one: float, seed: int = 0) -> dict[str, object]:
    numbers = {"test_accuracy": right, "macro_f1": right - 0.1}
    how = [""] if method == "retrain" else graphs_table.HOW
    return {
        "dataset": "cora", "kind": "gcn", "self_loops": loops, "seed": seed, "method": method,
        "one": one, "many": 2 * one, "before": dict.fromkeys(how, numbers),
        "one_weighing": one / 4, "many_weighing": one / 4, "twice": {"": numbers},
    }  # fmt: skip


def test_the_table_by_hand(bench: Path) -> None:
    lines = [
        line("retrain", 0.9, True, 2.0), line("random", 0.8, True, 0.2),
        line("blpa", 0.7, True, 0.4), line("retrain", 0.9, False, 2.0),
        line("random", 0.5, False, 0.2), line("blpa", 0.6, False, 0.6),
        line("retrain", 0.8, True, 2.0, seed=1),
    ]  # fmt: skip
    found = graphs_table.summary(lines)
    assert found["blpa_less_random_on"] == pytest.approx(-0.1)
    assert found["blpa_less_random_off"] == pytest.approx(0.1)
    assert (found["blpa_better_on"], found["blpa_better_off"]) == (0, 1)
    assert found["median_share_of_one"] == pytest.approx(0.15)
    said = graphs_table.table(lines)
    first = "| Cora | GCN | on |"
    one = "2.00 ± 0.00 | 100 % | 4.00 ± 0.00 | 200 % |"
    assert f"{first} one network | 85.0 ± 7.1 | 75.0 ± 7.1 | {one}" in said
    times = "0.30, 0.30, 0.40 | 20 % | 0.70, 0.70, 0.80 | 40 % |"
    assert f"{first} BLPA | 70.0, 70.0, 70.0 | 60.0, 60.0, 60.0 | {times}" in said
    assert "Cora: GCN 85.0 ± 7.1 % (85.0 ± 7.1 % after twice as many steps); acceptance" in said
    assert found["probe"] is None  # of one seed nothing is said
    assert "Self-loops on: BLPA with LBAggr is -10.0 points" in said
    assert json.dumps(found)
    assert graphs_table.summary([])["median_share_of_one"] is None


@pytest.mark.parametrize(
    ("on", "off", "word"),
    [(0.6, 0.6, "never better"), (0.6, 0.9, "confirmed"), (0.9, 0.9, "refuted")],
)
def test_the_probe_is_confirmed_or_refuted_from_five_seeds(
    on: float, off: float, word: str
) -> None:
    lines = [
        line(method, right + 0.01 * (seed if method == "blpa" else 2), loops, 1.0, seed)
        for seed in range(5)
        for loops, blpa in ((True, on), (False, off))
        for method, right in (("blpa", blpa), ("random", 0.6))
    ]
    found = graphs_table.summary(lines)
    assert found["probe"] == word
    low, high = found["interval_on"]
    assert (low + high) / 2 == pytest.approx(found["blpa_less_random_on"])
    assert high - low == pytest.approx(2 * 2.776 * 0.01581 / 5**0.5, rel=1e-3)  # t of 4, sd of 0..4
    assert f"gone once self-loops are on: {word}." in graphs_table.table(lines)
