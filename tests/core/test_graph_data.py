"""Graphs in files and in memory: the loader against PyTorch Geometric's own, hostile files, the
download, and what is left when something is taken away."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from core.data.download import download
from core.data.mirrors import GRAPHS
from core.errors import BadRequest, DataCorrupt, DataMissing, LabError
from core.graphs.data import pickles, planetoid
from core.graphs.data.graph import NO_LABEL, Graph
from core.graphs.data.load import load_graph
from core.graphs.data.pickles import read_pickle
from core.graphs.data.planetoid import read_planetoid
from core.graphs.deletion import deletion_of, split_of
from core.graphs.request_text import chosen_text, graph_request_text, parse_graph_request
from core.graphs.requests import GraphRequest
from tests import tiny_graph
from tests.core.test_download import Server, server  # noqa: F401, a fixture

DATA = tiny_graph.dataset()


def same(first: Graph, second: Graph) -> bool:
    return first.digest() == second.digest()


# Files


@pytest.mark.parametrize(
    ("name", "nodes", "edges"), [("cora", 2708, 5278), ("citeseer", 3327, 4552)]
)
def test_the_files_say_what_pytorch_geometric_reads(
    planetoid_folder: Path, tmp_path: Path, name: str, nodes: int, edges: int
) -> None:
    from torch_geometric.io import read_planetoid_data

    ours = read_planetoid(planetoid_folder, name)
    theirs = read_planetoid_data(str(planetoid_folder / name / "raw"), name)
    assert (len(ours), ours.edges.shape[1]) == (nodes, edges)
    known = ours.labels != NO_LABEL  # where nothing is known, theirs says class 0
    assert np.array_equal(ours.labels[known], theirs.y.numpy()[known])
    assert (~known).sum() == (15 if name == "citeseer" else 0)
    sums = np.maximum(theirs.x.numpy().sum(1, keepdims=True), 1)
    assert np.abs(ours.features.toarray() - theirs.x.numpy() / sums).max() < 1e-6
    both = set(map(tuple, theirs.edge_index.T.tolist()))
    assert {(a, b) for a, b in both if a < b} == set(map(tuple, ours.edges.T.tolist()))


def test_a_data_set_has_two_halves(planetoid_folder: Path) -> None:
    data = load_graph("citeseer", planetoid_folder)
    assert len(data.test) == 332
    assert len(np.union1d(data.train, data.test)) == 3327 - 15
    assert not np.isin(data.training_graph.nodes, data.test).any()
    assert load_graph("citeseer", planetoid_folder) is data
    assert not np.array_equal(load_graph("citeseer", planetoid_folder, seed=1).test, data.test)


def test_the_built_in_graph_needs_no_file() -> None:
    data = load_graph("digits-graph")
    assert len(data.graph) == 1797
    assert data.graph.degrees.min() >= 5
    first, second = data.graph.labels[data.graph.edges]
    assert (first == second).mean() > 0.9
    assert "made" in data.source
    # The five nearest by hand, of those equally near the earlier ones, on every machine.
    pixels = np.rint(16 * data.graph.features.toarray()).astype(int)
    joined = {(min(pair), max(pair)) for pair in data.graph.edges.T.tolist()}
    expected = set()
    for node, digit in enumerate(pixels):
        apart = ((pixels - digit) ** 2).sum(axis=1)
        others = [i for i in np.lexsort((np.arange(len(pixels)), apart)).tolist() if i != node]
        expected |= {(min(node, i), max(node, i)) for i in others[:5]}
    assert joined == expected


class Evil:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.file}",)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_malicious_pickle_is_refused_and_never_run(tmp_path: Path, protocol: int) -> None:
    trace = tmp_path / "trace"
    for what in (Evil(trace), {"a": [Evil(trace)]}, np.array([Evil(trace)], object)):
        file = tmp_path / "ind.cora.x"
        file.write_bytes(pickle.dumps(what, protocol))
        with pytest.raises(DataCorrupt) as caught:
            read_pickle(file)
        assert "ind.cora.x" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert not trace.exists()


def test_names_that_no_graph_needs_are_said(tmp_path: Path) -> None:
    for line in (b"cbuiltins\neval\n(S'1'\ntR.", b"cos\nsystem\n(S'1'\ntR.", b"P1\n."):
        (tmp_path / "x").write_bytes(line)
        with pytest.raises(DataCorrupt, match="refused"):
            read_pickle(tmp_path / "x")


def matrix_with(**changes: Any) -> bytes:
    """A pickled sparse matrix with parts that do not fit."""
    made = csr_matrix(np.eye(3, dtype=np.float32))
    for name, value in changes.items():
        setattr(made, name, value)
    return pickle.dumps(made, 2)


def test_a_sound_matrix_and_a_hostile_one(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(matrix_with())
    assert np.array_equal(read_pickle(file).toarray(), np.eye(3))
    for broken in (
        matrix_with(indices=np.array([0, 1, 9_000_000], np.int32)),
        matrix_with(indptr=np.array([0, 1, 2, 9_000_000], np.int32)),
        matrix_with(_shape=(3, 1)),
        matrix_with()[:-20],
        pickle.dumps(np.array(["a"]), 2),
        b"",
    ):
        file.write_bytes(broken)
        with pytest.raises(DataCorrupt):
            read_pickle(file)


def test_a_file_that_is_far_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pickles, "LARGEST", 10)
    (tmp_path / "x").write_bytes(matrix_with())
    with pytest.raises(DataCorrupt, match="larger"):
        read_pickle(tmp_path / "x")


def test_missing_and_mixed_files(planetoid_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="There is no cora"):
        load_graph("cora", tmp_path)
    with pytest.raises(DataMissing, match="does not exist"):
        load_graph("cora", tmp_path / "nothing")
    with pytest.raises(BadRequest, match="no graph 'cifar10'"):
        load_graph("cifar10", tmp_path)
    for file in (planetoid_folder / "cora" / "raw").iterdir():
        shutil.copyfile(file, tmp_path / file.name)
    assert len(load_graph("cora", tmp_path).graph) == 2708
    shutil.copyfile(planetoid_folder / "citeseer/raw/ind.citeseer.allx", tmp_path / "ind.cora.allx")
    with pytest.raises(DataCorrupt, match="do not fit together"):
        load_graph("cora", tmp_path)
    (tmp_path / "ind.cora.graph").unlink()
    with pytest.raises(DataMissing, match=r"ind\.cora\.graph is not in"):
        load_graph("cora", tmp_path)


# The download


def test_what_is_offered_is_what_was_checked(planetoid_folder: Path) -> None:
    import hashlib

    for name, files in GRAPHS.items():
        assert {file.name for file in files} == {f"ind.{name}.{part}" for part in planetoid.PARTS}
        for file in files:
            content = (planetoid_folder / name / "raw" / file.name).read_bytes()
            assert hashlib.sha256(content).hexdigest() == file.sha256
            assert len(content) == file.size
            assert file.url.startswith("https://")
            assert file.url.endswith(file.name)


def test_a_download_is_checked_resumed_and_found(
    planetoid_folder: Path,
    server: Server,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(DataMissing, match="python -m core download cora"):
        load_graph("cora", cache=tmp_path)
    raw = planetoid_folder / "cora" / "raw"
    files = [server.remote(file.name, (raw / file.name).read_bytes()) for file in GRAPHS["cora"]]
    server.faults = {"ind.cora.allx": ["cut"], "ind.cora.graph": ["wrong"]}
    steps = list(download("cora", cache=tmp_path, mirrors={"archive": tuple(files)}, pause=0.01))
    assert steps[-1].file == "ind.cora.test.index"
    assert [wanted != "" for name, wanted in server.asked if name == "ind.cora.allx"] == [
        False,
        True,
    ]
    assert same(load_graph("cora", cache=tmp_path).graph, read_planetoid(planetoid_folder, "cora"))


# What is left


def test_without_an_edge_every_other_edge_stays() -> None:
    graph = DATA.graph
    gone = graph.ends()[:, [3, 17]]
    left = graph.without_edges(gone[::-1])  # in either order
    before, after = (set(map(tuple, g.ends().T.tolist())) for g in (graph, left))
    assert before - after == set(map(tuple, gone.T.tolist()))
    assert after < before
    assert same(left, Graph(graph.nodes, graph.features, graph.labels, left.edges))
    assert same(graph.without_edges(np.zeros((2, 0), np.int64)), graph)


def test_without_a_node_all_that_names_it_goes() -> None:
    left = DATA.graph.without_nodes(np.array([5, 50]))
    assert len(left) == 118
    ends = {(a, b) for a, b in DATA.graph.ends().T.tolist() if not {a, b} & {5, 50}}
    assert set(map(tuple, left.ends().T.tolist())) == ends
    kept = np.setdiff1d(np.arange(120), [5, 50])
    assert np.array_equal(left.features.toarray(), DATA.graph.features.toarray()[kept])
    assert np.array_equal(left.positions(np.array([0, 6, 119])), [0, 5, 117])
    with pytest.raises(KeyError):
        left.positions(np.array([50]))


def test_without_features_nothing_else_changes() -> None:
    left = DATA.graph.without_features(np.array([7]))
    expected = DATA.graph.features.toarray()
    expected[7] = 0
    assert np.array_equal(left.features.toarray(), expected)
    assert np.array_equal(left.edges, DATA.graph.edges)
    others = np.setdiff1d(DATA.train, [7])
    assert same(left.induced(others), DATA.graph.induced(others))


# Requests


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("nodes:20", GraphRequest("nodes", count=20, seed=4)),
        ("nodes:0.05", GraphRequest("nodes", fraction=0.05, seed=4)),
        ("class:Rule_Learning", GraphRequest("class", name="Rule_Learning", seed=4)),
        ("best-connected:20", GraphRequest("best-connected", count=20, seed=4)),
        ("edges:100", GraphRequest("edges", count=100, seed=4)),
        ("features:20", GraphRequest("features", count=20, seed=4)),
    ],
)
def test_what_is_typed(text: str, request_: GraphRequest) -> None:
    assert parse_graph_request(text, 4) == request_
    assert GraphRequest.from_dict(request_.to_dict()) == request_
    assert request_.describe()
    assert parse_graph_request(graph_request_text(request_), 4) == request_
    assert chosen_text(request_) == ""


def test_what_is_typed_with_a_file(tmp_path: Path) -> None:
    file = tmp_path / "numbers"
    file.write_text("9 3\n7 1\n")
    assert parse_graph_request(f"indices:{file}").indices == (1, 3, 7, 9)
    assert parse_graph_request(f"edges:{file}").pairs == ((1, 7), (3, 9))
    assert parse_graph_request(f"features:{file}").indices == (1, 3, 7, 9)
    for kind in ("indices", "edges", "features"):
        request = parse_graph_request(f"{kind}:{file}")
        assert graph_request_text(request) == f"{kind}:FILE"
        file.write_text(chosen_text(request))
        assert parse_graph_request(f"{kind}:{file}") == request
        file.write_text("9 3\n7 1\n")
    file.write_text("9 3\n7\n")
    with pytest.raises(BadRequest):
        parse_graph_request(f"edges:{file}")


@pytest.mark.parametrize(
    "text",
    [
        "", "nodes", "nodes:", "nodes:0", "nodes:-3", "nodes:1.5", "nodes:nan", "nodes:inf",
        "nodes:x", "random:0.1", "class:", "class:\x1b[31m", "edges:/nothing/here",
        "indices:/nothing/here",
        "best-connected:0.5", "nodes:" + "9" * 40, "features:1e99",
    ],
)  # fmt: skip
def test_what_cannot_be_read(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_graph_request(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_requests_become_deletions() -> None:
    def judged(text: str) -> np.ndarray:
        return deletion_of(DATA, parse_graph_request(text)).judged

    degrees = DATA.training_graph.degrees
    best = judged("best-connected:5")
    assert degrees[np.searchsorted(DATA.train, best)].sum() == np.sort(degrees)[-5:].sum()
    assert (DATA.graph.labels[judged("class:green")] == 1).all()
    assert len(judged("nodes:0.25")) == round(len(DATA.train) / 4)
    edges = deletion_of(DATA, parse_graph_request("edges:6"))
    assert edges.part == "edges"
    assert edges.edges.shape == (2, 6)
    left = edges.left_of(DATA.training_graph)
    assert left.edges.shape[1] == DATA.training_graph.edges.shape[1] - 6
    assert deletion_of(DATA, parse_graph_request("features:4")).part == "features"
    again = deletion_of(
        DATA, GraphRequest("edges", pairs=tuple(map(tuple, edges.edges.T.tolist())))
    )
    assert np.array_equal(again.edges, edges.edges)


def test_in_plain_words() -> None:
    assert GraphRequest("nodes", count=1).describe() == "1 random training node"
    assert GraphRequest("nodes", fraction=0.05).describe() == "a random 5 % of the training nodes"
    assert GraphRequest("edges", count=3).describe() == "3 random edges between training nodes"
    chosen = GraphRequest("features", indices=(1, 2)).describe()
    assert chosen == "the features of 2 chosen training nodes"


def test_an_edge_that_is_not_there_has_a_hint() -> None:
    first, second = DATA.training_graph.ends()[:, 0].tolist()
    with pytest.raises(LabError, match=rf"{first} is joined to .*\b{second}\b"):
        deletion_of(DATA, GraphRequest("edges", pairs=((first, 999),)))


@pytest.mark.parametrize(
    "request_",
    [
        GraphRequest("nodes", count=1000),
        GraphRequest("nodes", fraction=0.999),
        GraphRequest("class", name="yellow"),
        GraphRequest("indices", indices=(int(DATA.test[0]),)),
        GraphRequest("indices", indices=(120,)),
        GraphRequest("indices", indices=(-1,)),
        GraphRequest("edges", pairs=((0, 119),)),
    ],
)
def test_requests_that_do_not_fit(request_: GraphRequest) -> None:
    with pytest.raises(LabError):
        deletion_of(DATA, request_)


def test_a_split_is_a_partition() -> None:
    request = GraphRequest("class", name="red")
    parts = split_of(DATA, request, deletion_of(DATA, request))
    both = np.sort(np.concatenate([parts.forget, parts.retain]))
    assert np.array_equal(both, np.arange(len(DATA.train)))
    assert parts.whole_classes == (0,)
    assert (DATA.graph.labels[DATA.test][parts.test_retained] != 0).all()
    assert (DATA.graph.labels[DATA.test][parts.test_fair] == 0).all()
    request = GraphRequest("features", count=5)  # no class is gone: the nodes stay
    assert split_of(DATA, request, deletion_of(DATA, request)).whole_classes == ()
