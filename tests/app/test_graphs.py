"""The page of graphs: a node leaves, its shard learns again."""

from __future__ import annotations

import json

import numpy as np
import pytest

from core.errors import LabError
from core.graphs import run as runs
from core.graphs.methods.graph_eraser import GraphEraser
from core.graphs.recipe import GraphRecipe
from core.metrics.measures import share_of
from tests.app.conftest import Open
from tests.app.test_front import texts
from ui.charts import graph as charts
from ui.charts.palette import FORGET, NEUTRAL
from ui.services import graphs, shipped
from ui.wording import graphs as words

PAGE = "pages/5_Graphs.py"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small networks, few steps, and places by lot."""

    def recipe(kind: str) -> GraphRecipe:
        return GraphRecipe(kind, hidden=8, epochs=30)  # type: ignore[arg-type]

    def eraser(partition: str, repartition: bool) -> GraphEraser:
        return GraphEraser(partition=partition, repartition=repartition, epochs=10)

    monkeypatch.setattr(graphs, "GraphRecipe", recipe)
    monkeypatch.setattr(graphs, "_eraser", eraser)
    monkeypatch.setattr(runs, "_MODELS", {})
    draw = np.random.default_rng(0)
    monkeypatch.setattr(graphs, "layout", lambda graph: draw.random((len(graph), 2)))


def test_nothing_is_forgotten_unasked(open_page: Open) -> None:
    at = open_page(PAGE)
    assert "Choose what to forget" in texts(at)
    assert "made: each digit is joined" in texts(at)
    assert len(at.get("vega_lite_chart")) == 1
    assert not runs._MODELS
    assert [b.key for b in at.button if b.proto.type == "primary"] == ["graphs-forget"]


def test_a_node_leaves_and_its_shard_learns_again(open_page: Open) -> None:
    at = open_page(PAGE)
    at.button(key="graphs-forget").click().run()
    assert not at.exception
    said = texts(at)
    assert "Forgotten: the training node with most neighbours (GCN, shards by BLPA)" in said
    assert "**1 of 10 shards** learned again" in said
    assert "Nearly exact" in said
    assert "1 digit forgotten, ringed large" in said
    assert len(at.get("vega_lite_chart")) == 2
    assert list(at.dataframe[0].value["model"]) == [
        "the shards, before",
        "the shards, after",
        "one network, retrained",
    ]
    # Another choice leaves the result until it is asked for.
    at.slider(key="graphs-count").set_value(60).run()
    assert "**1 of 10 shards** learned again" in texts(at)
    at.toggle(key="graphs-anew").set_value(True).run()
    at.button(key="graphs-forget").click().run()
    said = texts(at)
    assert "the 60 training nodes" in said
    assert "Exact: what is left was dealt into shards anew" in said


@pytest.mark.parametrize(
    ("way", "said"), [("class", "every training node of the class 3"), ("edges", "drawn strongly")]
)
def test_other_ways(open_page: Open, way: str, said: str) -> None:
    at = open_page(PAGE)
    at.segmented_control(key="graphs-way").set_value(way).run()
    at.button(key="graphs-forget").click().run()
    assert not at.exception
    assert said in texts(at)


def test_what_was_measured_is_said(open_page: Open) -> None:
    assert graphs.measured() is None
    shipped.SHIPPED.mkdir(parents=True)
    file = shipped.SHIPPED / "graphs.json"
    found = {
        "blpa_less_random_on": -0.051, "blpa_better_on": 2, "settings_on": 20,
        "blpa_less_random_off": 0.02, "blpa_better_off": 15, "settings_off": 20,
        "median_share_of_one": 0.131,
    }  # fmt: skip
    file.write_text(json.dumps(found))
    said = words.on_citations(graphs.measured())
    assert "5.1 points worse where a node listens to itself (better in 2 of 20 comparisons)" in said
    assert "2.0 points better where it does not" in said
    assert "costs 13 % of retraining" in said
    file.write_text("{")
    with pytest.raises(LabError, match="cannot be read"):
        graphs.measured()


@pytest.mark.parametrize(
    ("seconds", "accuracy", "said"),
    [
        (0.2, 0.9, ("5.0 times as fast", "8.0 points are the price")),
        (1.0, 0.98, ("saves nothing", "cannot be told apart from luck")),
        (2.0, 1.0, ("costs more than it saves", "2.0 points ahead")),
    ],
)
def test_the_sentence_follows_the_numbers(
    seconds: float, accuracy: float, said: tuple[str, str]
) -> None:
    pairs = (("after", accuracy), ("one network", 0.98))
    found = words.takeaway(
        10,
        3,
        {"deletion": seconds, "retraining": 1.0},
        {name: share_of(np.arange(1000) < 1000 * v) for name, v in pairs},
    )
    assert all(part in found for part in said)


def test_the_drawing() -> None:
    places = np.array([[0.0, 0.0], [0.5, 1.0], [1.0, 0.2]])
    edges, gone = np.array([[0, 1], [1, 2]]), np.array([True, False, False])
    near, cut = np.array([False, True, False]), np.array([[0], [1]])
    groups = ["shard 1", "shard 1", "shard 2"]
    chart = charts.drawn(places, groups, edges, gone, near, cut, "shard", "words").to_dict()
    assert chart["description"] == "words"
    faint, points, strong, rings = chart["layer"]
    assert points["encoding"]["color"]["scale"]["domain"] == ["shard 1", "shard 2"]
    assert points["encoding"]["color"]["scale"] != points["encoding"]["shape"]["scale"]
    assert (faint["mark"]["color"], strong["mark"]["color"]) == (NEUTRAL, FORGET)
    assert rings["transform"] == [{"filter": "datum.state != 'others'"}]
    for layer in chart["layer"]:
        for axis in "xy":
            assert layer["encoding"][axis]["scale"]["domain"] == [-0.03, 1.03]
    rows = {len(data): data for data in chart["datasets"].values()}
    assert [row["state"] for row in rows[3]] == ["forgotten", "its neighbours", "others"]
    assert rows[1] == [{"x": 0.0, "y": 0.0, "x2": 0.5, "y2": 1.0}]


def test_the_shards() -> None:
    chart = charts.shards([5, 5, 4], [5, 4, 4], [1], "words").to_dict()
    (rows,) = chart["datasets"].values()
    assert [row["network"] for row in rows] == ["kept as it is", "trained again", "kept as it is"]
    assert [row["after"] for row in rows] == [5, 4, 4]
    bars, ticks = chart["layer"]
    assert bars["encoding"]["color"]["scale"]["range"] == [FORGET, NEUTRAL]
    assert ticks["encoding"]["x"]["field"] == "before"
