"""The page of graphs: a node leaves, its shard learns again."""

from __future__ import annotations

import json

import numpy as np
import pytest

from core.errors import LabError
from core.graphs import run as runs
from core.graphs.methods.graph_eraser import GraphEraser
from core.graphs.recipe import GraphRecipe
from core.graphs.requests import GraphRequest
from core.metrics.measures import share_of
from tests.app.conftest import Open
from tests.app.test_front import texts
from ui import graph_links
from ui.charts import graph as charts
from ui.charts.palette import FORGET, NEUTRAL
from ui.services import graphs, shipped
from ui.widgets import take_home
from ui.wording import graphs as words

PAGE = "pages/10_Graphs.py"


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
    at.segmented_control(key="graphs-colours-3").set_value("shard afterwards").run()
    drawn = json.loads(at.get("vega_lite_chart")[0].proto.spec)
    domain = drawn["layer"][1]["encoding"]["color"]["scale"]["domain"]
    assert domain == [*(f"shard {i}" for i in range(1, 11)), "forgotten"]


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("class", "every training node of the class 3"),
        ("edges", "drawn strongly"),
    ],
)
def test_other_ways(open_page: Open, way: str, said: str) -> None:
    at = open_page(PAGE)
    at.segmented_control(key="graphs-way").set_value(way).run()
    at.button(key="graphs-forget").click().run()
    assert not at.exception
    assert said in texts(at)


def first_edge() -> str:
    return "-".join(map(str, graphs.dataset().training_graph.ends()[:, 0]))


@pytest.mark.parametrize(
    ("way", "typed", "said"),
    [
        ("indices", lambda: str(graphs.dataset().train[7]), "1 chosen training node"),
        ("features", lambda: str(graphs.dataset().train[7]), "the features of 1 chosen"),
        ("edges", first_edge, "1 chosen edge between training nodes"),
    ],
)
def test_what_a_visitor_picks(open_page: Open, way: str, typed, said: str) -> None:
    at = open_page(PAGE)
    at.segmented_control(key="graphs-way").set_value(way).run()
    if way == "indices":
        assert "Nothing is chosen yet" in at.error[0].value
        assert at.button(key="graphs-forget").disabled
    at.text_input(key=f"graphs-picked-{way}").set_value("12 and 40").run()
    assert "cannot be read" in at.error[0].value
    at.text_input(key=f"graphs-picked-{way}").set_value(typed()).run()
    at.button(key="graphs-forget").click().run()
    assert not at.exception
    assert said in texts(at)


def test_an_edge_that_is_not_there_has_a_hint(open_page: Open) -> None:
    node = int(first_edge().partition("-")[0])
    at = open_page(PAGE, graph=f"edge:{node}-{node + 1700}")
    assert f"{node} is joined to " in at.error[0].value


def test_a_link_opens_the_same_view(open_page: Open) -> None:
    at = open_page(PAGE, graph="class:4", network="sage", shards="random", anew="1")
    assert "every training node of the class 4 (GraphSAGE, shards dealt at random)" in texts(at)
    assert at.toggle(key="graphs-anew").value
    assert at.selectbox(key="graphs-class").value == "4"
    assert at.query_params["shards"] in ("random", ["random"])
    # Afterwards the session is the truth.
    at.segmented_control(key="graphs-way").set_value("best-connected").run()
    at.button(key="graphs-forget").click().run()
    assert "training node with most neighbours" in texts(at)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"graph": "nodes:/etc/passwd"}, "cannot be read"),
        ({"graph": "features:/etc/passwd"}, "cannot be read"),
        ({"graph": "indices:x"}, "cannot be read"),
        ({"graph": "edge:3"}, "two nodes of each edge"),
        ({"graph": "nodes:5000"}, "up to 200"),
        ({"graph": "nodes:5", "network": "gat"}, "no graph network 'gat'"),
        ({"graph": "nodes:5", "shards": "louvain"}, "no partition 'louvain'"),
    ],
)
def test_a_link_that_cannot_be_read(params: dict[str, str], said: str) -> None:
    with pytest.raises(LabError, match=said):
        graph_links.from_params(params)


@pytest.mark.parametrize(
    "request_",
    [
        GraphRequest("best-connected", count=7),
        GraphRequest("class", name="3"),
        GraphRequest("indices", indices=(4, 9)),
        GraphRequest("edges", pairs=((4, 9), (2, 30))),
        GraphRequest("features", indices=(4,)),
        GraphRequest("features", count=4),
    ],
)
def test_a_link_says_what_is_forgotten(request_: GraphRequest) -> None:
    choice = graph_links.Choice("sage", "metis", True, request_)
    assert graph_links.from_params(graph_links.to_params(choice)) == choice


def test_a_bad_link_leaves_a_page_that_works(open_page: Open) -> None:
    at = open_page(PAGE, graph="class:x")
    assert "There is no class 'x'" in at.error[0].value
    assert not at.button(key="graphs-forget").disabled


def test_a_view_is_taken_home(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, bytes] = {}

    def kept(files, *_: object) -> None:
        made.update({kind: make() for kind, _, _, make, _ in files})

    monkeypatch.setattr(take_home, "downloads", kept)
    node = graphs.dataset().train[7]
    at = open_page(PAGE, graph=f"indices:{node}", shards="random")
    at.session_state["graphs-home"] = True
    at.run()
    assert not at.exception
    link, command = (code.value for code in at.code)
    assert f"graph=indices:{node}" in link
    assert "shards=random" in link
    assert command == (
        "python -m core unlearn --model gcn --dataset digits-graph --forget indices:FILE "
        "--method graph_eraser --set partition=random --set epochs=10 --seed 0"
    )
    assert made["file"] == f"{node}\n".encode()
    found = json.loads(made["json"])
    assert found["live"]["plan"]["request"]["indices"] == [node]
    assert found["live"]["exact"]
    assert found["run"] is None
    assert made["csv"].decode().count("\n") == 7  # two numbers of three models
    at.button(key="graphs-judge").click().run()
    assert not at.exception
    assert "Forgotten exactly" in texts(at)  # what is dealt by lot is exact
    assert "Macro-F1 on new digits" in list(at.dataframe[1].value["measured"])
    at.run()
    found = json.loads(made["json"])["run"]
    assert found["after"] == found["retrained"]
    assert found["verdict"]["word"] == "forgotten"


def test_what_was_measured_is_said(open_page: Open) -> None:
    assert graphs.measured() is None
    shipped.SHIPPED.mkdir(parents=True)
    file = shipped.SHIPPED / "graphs.json"
    found = {
        "blpa_less_random_on": -0.051, "blpa_better_on": 2, "settings_on": 20,
        "blpa_less_random_off": 0.02, "blpa_better_off": 15, "settings_off": 20,
        "median_share_of_one": 0.131, "probe": "confirmed",
    }  # fmt: skip
    file.write_text(json.dumps(found))
    said = words.on_citations(graphs.measured())
    assert "5.1 points worse where a node listens to itself (better in 2 of 20 comparisons)" in said
    assert "2.0 points better where it does not" in said
    assert "costs 13 % of retraining" in said
    assert "gone once a node listens to itself: confirmed." in said
    assert "refuted" in words.on_citations(found | {"probe": "refuted"})
    assert "probe" not in words.on_citations(found | {"probe": None})
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
    numbers = np.array([4, 7, 9])
    chart = charts.drawn(
        numbers, places, groups, edges, gone, near, cut, "shard", "words"
    ).to_dict()
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
