"""A plan for a graph becomes a run: what is measured, judged, printed and written."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from core import __main__ as cli
from core.data.splits import Split
from core.errors import BadRequest, Cancelled
from core.graphs import run as runs
from core.graphs.data.graph import GraphDataset
from core.graphs.deletion import deletion_of
from core.graphs.evaluation import Questions
from core.graphs.methods import make
from core.graphs.metrics import MACRO_F1, MEASURED
from core.graphs.recipe import GraphRecipe
from core.graphs.request_text import parse_graph_request
from core.graphs.run import GraphPlan, GraphRun, spread_of, unlearn
from core.metrics.evidence import Evidence, Outcome
from core.runs.shell import beyond_images, graphs
from tests import tiny_graph

DATA = tiny_graph.dataset(400)
FIELDS = {"forget_accuracy", "retain_accuracy", "test_accuracy", "macro_f1", "mia", "margin_auc"}


@pytest.fixture(autouse=True, scope="module")
def short():
    """Networks of eight units and forty steps; nothing kept from elsewhere."""

    def recipe(kind: str, self_loops: bool = True) -> GraphRecipe:
        return GraphRecipe(kind, hidden=8, epochs=40, self_loops=self_loops)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "GraphRecipe", recipe)
        patch.setattr(runs, "_MODELS", {})
        patch.setattr(graphs, "load_graph", lambda name, folder: DATA)
        yield


@functools.cache
def run(method: str, forget: str = "nodes:60", data: GraphDataset = DATA, **settings) -> GraphRun:
    plan = GraphPlan("gcn", "tiny", parse_graph_request(forget), method, settings)
    *_, last = unlearn(plan, data)
    assert isinstance(last, GraphRun)
    return last


def shell(*more: object) -> int:
    typed = ["unlearn", "--model", "gcn", "--dataset", "digits-graph", *map(str, more)]
    return cli.main(typed)


def test_a_run_measures_three_models_and_judges_them() -> None:
    found = run("fine_tune", epochs=2)
    for evaluation in (found.before, found.after, found.retrained):
        assert set(evaluation.measures) == set(MEASURED) - {"mia_class_matched"}
        for name in FIELDS:
            measure = evaluation[name]
            assert measure is not None
            assert measure.low <= measure.value <= measure.high
    assert found.before["forget_accuracy"].n == 60
    assert found.before["retain_accuracy"].n == 300
    assert found.before["test_accuracy"].n == 40
    assert {signal.kind for signal in found.verdict.signals} >= {"answers", "outputs", "damage"}
    assert not found.exact
    assert not found.identical
    assert found.share > 0


def test_doing_nothing_never_forgets_and_exact_methods_say_so() -> None:
    nothing = run("do_nothing", "class:red")
    assert nothing.verdict.word == "not forgotten"
    assert nothing.verdict.share == 0
    retrained = run("retrain", "class:red")
    assert retrained.exact
    assert not retrained.identical  # its ideal has another seed
    assert retrained.verdict.word not in ("not forgotten", "partly forgotten")
    eraser = {"shards": 4, "epochs": 20}
    exact = run("graph_eraser", "nodes:60", repartition=True, **eraser)
    assert exact.exact
    assert exact.identical
    assert exact.after.metrics() == exact.retrained.metrics()
    assert (exact.verdict.word, exact.verdict.share) == ("forgotten", 1)
    few = run("graph_eraser", "nodes:4", partition="random", **eraser)
    assert few.identical
    assert few.verdict.word == "forgotten"  # not too few to tell: nothing differs
    nearly = run("graph_eraser", "nodes:60", **eraser)
    assert not nearly.exact
    assert not nearly.identical
    assert nearly.single is not None


def test_the_model_before_is_trained_once() -> None:
    first, second = run("fine_tune", epochs=2), run("do_nothing")
    assert first.models[0] is second.models[0]


def test_a_run_can_be_stopped() -> None:
    plan = GraphPlan("gcn", "tiny", parse_graph_request("nodes:60"), "retrain", seed=9)
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) == 3

    with pytest.raises(Cancelled):
        list(unlearn(plan, DATA, stop))
    assert len(asked) == 3


def test_nodes_to_forget_are_asked_about_as_they_were() -> None:
    """And all others on the graph that is left."""
    request = parse_graph_request("nodes:60")
    questions = Questions(DATA, request, deletion_of(DATA, request))
    model = run("do_nothing").models[0]
    logits = questions.evidence(model).train.logits
    assert logits is not None
    whole, left = model.logits(DATA.graph).numpy(), model.logits(questions.left).numpy()
    split, train = questions.split, DATA.train
    kept = train[split.retain]
    assert np.abs(logits[split.forget] - whole[train[split.forget]]).max() < 0.01  # float16
    assert np.abs(logits[split.retain] - left[questions.left.positions(kept)]).max() < 0.01
    assert np.abs(whole[kept] - left[questions.left.positions(kept)]).max() > 0.1


def test_macro_f1_is_scikit_learns() -> None:
    draw = np.random.default_rng(0)
    truth, said = draw.integers(0, 4, 200), draw.integers(0, 4, 200)
    said[:120] = truth[:120]
    outcome = Outcome(np.zeros(200, np.float32), said, None)
    split = Split(*(np.arange(200) for _ in range(5)))
    found = MACRO_F1.measure(Evidence(outcome, outcome, truth, truth, split))
    assert found is not None
    assert found.value == pytest.approx(f1_score(truth, said, average="macro"))
    assert 0.08 < found.high - found.low < 0.2


def test_the_spread_is_of_the_retrainings() -> None:
    one = run("retrain").retrained
    assert max(spread_of([one, one, one]).values()) < 1e-12


# The shell


def test_the_shell_writes_what_scripts_rely_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    request = ("--forget", "nodes:20", "--method", "graph_eraser")
    assert shell(*request, "--set", "shards=4", "--set", "epochs=5", "--json", out) == 0
    found = json.loads(out.read_text())
    for name in ("before", "after", "retrained", "one_network"):
        assert set(found[name]) >= FIELDS
    assert {"unlearning", "measuring", "retraining"} <= set(found["seconds"])
    assert found["verdict"]["word"]
    assert found["exact"] == {"promised": False, "identical": False}
    assert sum(found["shards"]["before"]) == 360
    assert sum(found["shards"]["after"]) == 340
    assert set(found["shards"]["retrained"]) <= set(range(4))
    assert found["plan"]["request"] == {"kind": "nodes", "seed": 0, "count": 20}
    assert found["settings"]["partition"] == "blpa"
    assert (found["data"]["forget"], found["data"]["retain"]) == (20, 340)
    said = capsys.readouterr()
    assert "shards trained again" in said.out
    assert "step 1 of" in said.err


def test_the_command_of_a_plan_is_what_was_typed() -> None:
    request = parse_graph_request("edges:10", 3)
    settings = make("graph_eraser", {"shards": 4}).settings()
    plan = GraphPlan("sage", "cora", request, "graph_eraser", settings, 2, self_loops=False)
    assert graphs.command_of(plan) == (
        "python -m core unlearn --model sage --dataset cora --forget edges:10 --forget-seed 3 "
        "--method graph_eraser --set self_loops=False --set shards=4 --seed 2"
    )


@pytest.mark.parametrize("forget", ["nodes:0.1", "class:blue", "edges:10", "best-connected:10"])
def test_what_a_graph_forgets(forget: str, capsys: pytest.CaptureFixture[str]) -> None:
    request = ("--forget", forget, "--method", "gif", "--set", "iterations=3")
    assert shell(*request, "--set", "self_loops=off", "--json", "-") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["plan"]["self_loops"] is False
    assert found["data"]["edges_forgotten"] == (10 if forget == "edges:10" else 0)


def test_an_index_file_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "indices"
    file.write_text("\n".join(map(str, DATA.train[:3])))
    request = ("--forget", f"indices:{file}", "--method", "do_nothing", "--json", "-")
    assert shell(*request) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["data"]["forget"] == 3
    assert found["after"]["mia"] is None  # too few to attack


@pytest.mark.parametrize(
    "more",
    [
        ("--forget", "random:0.1", "--method", "gif"),
        ("--forget", "nodes:5", "--method", "scrub"),
        ("--forget", "nodes:5000", "--method", "gif"),
        ("--forget", "class:yellow", "--method", "gif"),
        ("--forget", "nodes:5", "--method", "gif", "--set", "shards=2"),
        ("--forget", "nodes:5", "--method", "gif", "--set", "self_loops=maybe"),
        ("--forget", "nodes:5", "--method", "gif", "--json", "/no/such/folder/out.json"),
        ("--forget", "nodes:5", "--method", "gif", "--weights", "w.safetensors"),
    ],
)
def test_a_bad_request_is_one_line(
    more: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert shell(*more) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1


def test_a_stopped_run_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object) -> object:
        raise Cancelled("The run was stopped.")
        yield

    monkeypatch.setattr(graphs, "run_of", stopped)
    assert shell("--forget", "nodes:5", "--method", "gif") == 130
    assert "stopped" in capsys.readouterr().err


def test_every_shell_that_is_named_is_there() -> None:
    import importlib

    for module in set(beyond_images.MODELS.values()):
        assert callable(importlib.import_module(module).unlearn)


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(BadRequest, match="no graph network 'gat'"):
        next(unlearn(GraphPlan("gat", "tiny", parse_graph_request("nodes:1"), "gif"), DATA))
