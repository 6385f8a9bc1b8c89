"""Graph networks and their unlearning against what is known without them."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor

from core.curvature.products import finish
from core.errors import BadSetting, UnknownMethod
from core.graphs.aggregation import learned_weights, majority, mean, weighted
from core.graphs.data.graph import Graph
from core.graphs.deletion import Deletion, deletion_of
from core.graphs.ensemble import Ensemble, aggregated_on, train_ensemble
from core.graphs.evaluation import Questions
from core.graphs.methods import METHODS, make
from core.graphs.methods.base import Task
from core.graphs.methods.gif import curvature_product, gradient
from core.graphs.networks import GraphNetwork
from core.graphs.partitions import PARTITIONS
from core.graphs.partitions.bekm import embedding
from core.graphs.partitions.partition import cap_of
from core.graphs.recipe import GraphRecipe
from core.graphs.request_text import parse_graph_request
from core.graphs.requests import GraphRequest
from core.graphs.run import identical
from core.graphs.sparse import Sparse, kept
from core.graphs.training import train
from tests import tiny_graph
from tests.tiny_graph import SHORT

DATA = tiny_graph.dataset()
SMALL = {"shards": 4, "epochs": 10}


def drawn(recipe: GraphRecipe, seed: int = 0) -> GraphNetwork:
    """A network with random weights, biases too."""
    network = GraphNetwork(recipe, 30, 3, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        for weight in network.parameters():
            weight.normal_(generator=torch.Generator().manual_seed(seed))
    return network


def adjacency(graph: Graph, self_loops: bool) -> Tensor:
    dense = torch.zeros(len(graph), len(graph), dtype=torch.float64)
    dense[graph.edges[0], graph.edges[1]] = dense[graph.edges[1], graph.edges[0]] = 1
    return dense + torch.eye(len(graph)) if self_loops else dense


# Networks


@pytest.mark.parametrize("self_loops", [True, False])
def test_a_gcn_is_its_dense_formula(self_loops: bool) -> None:
    """softmax's argument of Kipf & Welling: A' relu(A' X W + b) V + c, A' = D^-1/2 A D^-1/2."""
    network = drawn(replace(SHORT, self_loops=self_loops))
    joined = adjacency(DATA.graph, self_loops)
    scale = joined.sum(1).clamp(min=1e-12).rsqrt() * (joined.sum(1) > 0)
    hop = scale[:, None] * joined * scale
    x = torch.from_numpy(DATA.graph.features.toarray()).double()
    w, b, v, c = (
        p.double() for p in (network.first.lin.weight, network.first.bias,
                             network.second.lin.weight, network.second.bias)
    )  # fmt: skip
    expected = hop @ (hop @ x @ w + b).relu() @ v + c
    assert (network.logits(DATA.graph) - expected).abs().max() < 1e-4


@pytest.mark.parametrize("self_loops", [True, False])
def test_graphsage_is_its_dense_formula_and_pytorch_geometrics_layer(self_loops: bool) -> None:
    from torch_geometric.nn import SAGEConv

    network = drawn(replace(SHORT, kind="sage", self_loops=self_loops))
    joined = adjacency(DATA.graph, self_loops)
    average = joined / joined.sum(1, keepdim=True).clamp(min=1)
    found: Tensor = torch.from_numpy(DATA.graph.features.toarray())
    ends = torch.tensor(np.argwhere(joined.numpy())).T.flip(0)
    theirs, ours = found, found.double()
    for layer in (network.first, network.second):
        heard, own = layer.lin.weight.chunk(2, dim=1)
        conv = SAGEConv(*heard.shape)
        with torch.no_grad():
            conv.lin_l.weight.copy_(heard.T), conv.lin_l.bias.copy_(layer.bias)
            conv.lin_r.weight.copy_(own.T)
            theirs = conv(theirs, ends)
        ours = average @ ours @ heard.double() + ours @ own.double() + layer.bias
        if layer is network.first:
            theirs, ours = theirs.relu(), ours.relu()
    logits = network.logits(DATA.graph)
    assert (logits - ours).abs().max() < 1e-3
    assert (logits - theirs).abs().max() < 1e-3


def test_a_sparse_product_has_the_gradients_of_a_dense_one() -> None:
    draw = np.random.default_rng(0)
    dense = torch.from_numpy((draw.random((9, 6)) * (draw.random((9, 6)) < 0.3)).astype(np.float32))
    x = Sparse.of(csr_array(dense.numpy()))
    weight = torch.randn(6, 4, requires_grad=True)
    outputs = [x.times(weight), dense @ weight]
    along = torch.randn(6, 4)
    for product in outputs:
        once = torch.autograd.grad(product.pow(3).sum(), weight, create_graph=True)[0]
        twice = torch.autograd.grad((once * along).sum(), weight)[0]
        product.found = once.detach(), twice  # type: ignore[attr-defined]
    for first, second in zip(outputs[0].found, outputs[1].found, strict=True):  # type: ignore[attr-defined]
        assert torch.allclose(first, second, atol=1e-5)


def test_dropout_of_sparse_features_changes_values_alone() -> None:
    x = Sparse.of(DATA.graph.features)
    dropped = x.dropped(0.5, torch.Generator().manual_seed(0))
    assert torch.equal(dropped.x.to_dense(), dropped.y.to_dense().T)
    values = dropped.x.values()
    assert set((values / x.x.values()).tolist()) == {0.0, 2.0}
    assert 0.4 < (values == 0).float().mean() < 0.6
    assert kept(10_000, 0.25, torch.Generator().manual_seed(0)).mean() == pytest.approx(1, abs=0.03)


def test_training_repeats_itself_bit_for_bit_and_learns() -> None:
    recipe = replace(SHORT, epochs=100)
    one, again, other = (finish(train(DATA.training_graph, 3, recipe, seed)) for seed in (0, 0, 1))
    logits = [network.logits(DATA.graph) for network in (one, again, other)]
    assert torch.equal(logits[0], logits[1])
    assert not torch.equal(logits[0], logits[2])
    right = logits[0].argmax(1).numpy() == DATA.graph.labels
    assert right[DATA.train].mean() > 0.65  # a third by chance


def test_a_test_node_leaves_no_trace() -> None:
    """Its features, its edges, its label: whatever they are, the weights are the same."""
    draw = np.random.default_rng(1)
    features = DATA.graph.features.tolil()
    features[DATA.test] = draw.random((len(DATA.test), 30))
    labels = DATA.graph.labels.copy()
    labels[DATA.test] = 0
    changed = replace(DATA.graph, features=features.tocsr().astype(np.float32), labels=labels)
    ends = changed.ends()
    changed = changed.without_edges(ends[:, np.isin(ends, DATA.test).any(axis=0)])
    data = replace(DATA, graph=changed)
    found = [finish(train(d.training_graph, 3, SHORT, 0)) for d in (DATA, data)]
    assert torch.equal(*(network.logits(DATA.graph) for network in found))


# Partitions


@pytest.mark.parametrize("name", PARTITIONS)
@pytest.mark.parametrize("shards", [3, 10])
def test_partitions_are_balanced_to_the_cap(name: str, shards: int) -> None:
    graph = DATA.training_graph
    shard = PARTITIONS[name].split(graph, DATA.train, shards, 0)
    assert shard.shape == (len(graph),)
    assert set(shard.tolist()) == set(range(shards))
    assert np.bincount(shard).max() <= cap_of(len(graph), shards)
    assert np.array_equal(shard, PARTITIONS[name].split(graph, DATA.train, shards, 0))
    assert not np.array_equal(shard, PARTITIONS[name].split(graph, DATA.train, shards, 1)) or (
        name == "metis"
    )


@pytest.mark.parametrize("name", ["metis", "blpa", "bekm"])
def test_nodes_without_an_edge_do_not_drift_into_one_shard(name: str) -> None:
    """Sixty of a hundred nodes have no edge: the released code puts them all into shard 0."""
    whole = tiny_graph.graph(100)
    ends = whole.ends()
    graph = whole.without_edges(ends[:, (ends >= 40).any(axis=0)])
    shard = PARTITIONS[name].split(graph, graph.nodes, 5, 0)
    assert np.bincount(shard, minlength=5).tolist() == [20] * 5


def test_a_partition_keeps_two_communities_apart() -> None:
    """Two cliques of ten, joined by one edge: two shards cut that edge alone."""
    pairs = [(a, b) for k in (0, 10) for a in range(k, k + 10) for b in range(a + 1, k + 10)]
    edges = np.array(sorted([*pairs, (0, 10)])).T
    features = csr_array(np.repeat(np.eye(2, dtype=np.float32), 10, axis=0))
    graph = Graph(np.arange(20), features, np.zeros(20, np.int64), edges)
    for name in ("metis", "blpa", "bekm"):
        found = [PARTITIONS[name].split(graph, graph.nodes, 2, seed) for seed in range(5)]
        cut = min(int((s[edges[0]] != s[edges[1]]).sum()) for s in found)
        assert cut == 1, name


def test_no_partition_reads_a_label() -> None:
    graph = DATA.training_graph
    other = replace(graph, labels=np.zeros(len(graph), np.int64))
    for partition in PARTITIONS.values():
        found = [partition.split(g, DATA.train, 4, 0) for g in (graph, other)]
        assert np.array_equal(*found)
    assert np.array_equal(embedding(graph, 0), embedding(other, 0))


def test_what_is_dealt_at_random_stays_where_it_is() -> None:
    split = PARTITIONS["random"].split
    before = split(DATA.training_graph, DATA.train, 4, 0)
    left = DATA.training_graph.without_nodes(DATA.train[[0, 7, 30]])
    assert np.array_equal(split(left, DATA.train, 4, 0), np.delete(before, [0, 7, 30]))


# Aggregations


def logits_of(seed: int = 0) -> Tensor:
    return torch.randn(3, 50, 4, generator=torch.Generator().manual_seed(seed))


def test_aggregations_by_hand_and_their_inputs_untouched() -> None:
    logits = logits_of()
    copy = logits.clone()
    assert torch.allclose(mean(logits).exp(), logits.softmax(2).mean(0))
    votes = logits.argmax(2)
    most = majority(logits).argmax(1)
    for node in range(50):
        counts = votes[:, node].bincount(minlength=4)
        assert counts[most[node]] == counts.max()
        if (counts == counts.max()).sum() == 1:
            assert most[node] == counts.argmax()
    assert torch.allclose(majority(logits).exp().sum(1), torch.ones(50))
    assert torch.allclose(weighted(logits, torch.tensor([0.5, 0.25, 0.25])),
                          0.5 * logits[0] + 0.25 * logits[1] + 0.25 * logits[2])  # fmt: skip
    learned_weights(logits, torch.zeros(50, dtype=torch.long))
    assert torch.equal(logits, copy)


def test_learned_weights_find_who_is_right() -> None:
    labels = torch.randint(0, 4, (50,), generator=torch.Generator().manual_seed(1))
    logits = logits_of()
    logits[1] = 4 * torch.nn.functional.one_hot(labels, 4)
    weights = learned_weights(logits, labels)
    assert weights.argmax() == 1
    assert weights[1] > 0.8
    assert weights.sum() == pytest.approx(1, abs=1e-6)


def test_learned_weights_are_the_minimum_of_the_cross_entropy_of_logits() -> None:
    labels = torch.randint(0, 4, (50,), generator=torch.Generator().manual_seed(1))
    logits = logits_of()
    logits[2] += torch.nn.functional.one_hot(labels, 4)

    def loss(w: Tensor) -> float:
        return float(torch.nn.functional.cross_entropy(weighted(logits, w), labels))

    best = learned_weights(logits, labels)
    grid = [torch.tensor([a, b, 1 - a - b], dtype=torch.float32) for a in np.arange(0, 1.01, 0.05)
            for b in np.arange(0, 1.01 - a, 0.05)]  # fmt: skip
    assert loss(best) <= min(map(loss, grid)) + 0.005


# GraphEraser


@functools.cache
def eraser(partition: str, aggregation: str = "lbaggr", repartition: bool = False):
    return make(
        "graph_eraser",
        {**SMALL, "partition": partition, "aggregation": aggregation, "repartition": repartition},
    )


def task_of(text: str | Deletion) -> Task:
    deletion = text if isinstance(text, Deletion) else deletion_of(DATA, parse_graph_request(text))
    return Task(DATA, deletion, SHORT, 0)


def one_node(shard: NDArray[np.int64], number: int) -> Task:
    """Forget the first node of a shard."""
    node = int(DATA.train[np.flatnonzero(shard == number)[0]])
    return task_of(deletion_of(DATA, GraphRequest("indices", indices=(node,))))


@pytest.mark.parametrize("partition", PARTITIONS)
def test_the_shards_that_are_not_hit_are_bit_identical(partition: str) -> None:
    method = eraser(partition)
    before = finish(method.train(task_of("nodes:1")))
    task = one_node(before.shard, 2)
    after = finish(method.forget(before, task))
    assert after.trained == (2,)
    assert not np.isin(task.deletion.nodes, after.nodes).any()
    for number, network in before.networks.items():
        same = [
            torch.equal(a, b)
            for a, b in zip(network.parameters(), after.networks[number].parameters(), strict=True)
        ]
        assert all(same) == (number != 2)


@pytest.mark.parametrize("text", ["nodes:3", "features:3", "edges:5", "class:red"])
@pytest.mark.parametrize("aggregation", ["lbaggr", "mean"])
def test_it_equals_the_same_shards_trained_without(text: str, aggregation: str) -> None:
    """Not a bit differs from an ensemble that never saw what is forgotten, dealt out alike."""
    method = eraser("blpa", aggregation)
    task = task_of(text)
    before = finish(method.train(task))
    after = finish(method.forget(before, task))
    kept_nodes = np.isin(before.nodes, after.nodes)
    assert np.array_equal(after.shard, before.shard[kept_nodes])
    recipe = replace(SHORT, epochs=10, learning_rate=method.learning_rate)
    fresh = finish(train_ensemble(task.left, after.shard, 3, recipe, 0, aggregation))
    assert torch.equal(after.logits(DATA.graph), fresh.logits(DATA.graph))
    assert fresh.keys == after.keys
    assert len(after.trained) <= len(fresh.trained)


@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.parametrize("text", ["nodes:3", "features:3", "edges:5"])
@pytest.mark.parametrize("repartition", [False, True])
def test_what_is_called_exact_is_the_retrained_ensemble(
    partition: str, text: str, repartition: bool
) -> None:
    method = eraser(partition, repartition=repartition)
    task = task_of(text)
    assert method.exact(task.deletion) == (
        repartition or task.deletion.part not in PARTITIONS[partition].reads
    )
    if method.exact(task.deletion):
        after = finish(method.forget(finish(method.train(task)), task))
        questions = Questions(DATA, parse_graph_request(text), task.deletion)
        assert identical(after, finish(method.retrain(task)), questions)


def test_an_edge_between_shards_costs_nothing() -> None:
    method = eraser("random", "mean")
    before = finish(method.train(task_of("nodes:1")))
    first, second = DATA.training_graph.edges
    between = np.flatnonzero(before.shard[first] != before.shard[second])[0]
    pair = tuple(int(x) for x in DATA.training_graph.ends()[:, between])
    task = task_of(deletion_of(DATA, GraphRequest("edges", pairs=(pair,))))
    assert finish(method.forget(before, task)).trained == ()


def test_the_aggregation_never_sees_a_deleted_label() -> None:
    """Whatever the label of a forgotten node was, the weights after are the same."""
    method = eraser("random")
    task = task_of("nodes:5")
    lied = DATA.graph.labels.copy()
    lied[task.deletion.nodes] = (lied[task.deletion.nodes] + 1) % 3
    other = replace(DATA, graph=replace(DATA.graph, labels=lied))
    found: list[Ensemble] = []
    for data in (DATA, other):
        told = replace(task, dataset=data)
        found.append(finish(method.forget(finish(method.train(told)), told)))
    assert torch.equal(found[0].weights, found[1].weights)
    assert not np.isin(task.deletion.nodes, task.left.nodes[aggregated_on(task.left, 0)]).any()


def test_the_choice_of_the_others_does_not_depend_on_a_deleted_node() -> None:
    graph = DATA.training_graph
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.graphs.ensemble.AGGREGATED_ON", 40)
        before = graph.nodes[aggregated_on(graph, 0)]
        left = graph.without_nodes(before[:1])
        after = left.nodes[aggregated_on(left, 0)]
    assert set(before[1:]) < set(after)
    assert len(after) == 40


def test_a_shard_that_loses_every_node_is_gone() -> None:
    method = eraser("random", "mean")
    task = task_of("nodes:1")
    before = finish(method.train(task))
    nodes = DATA.train[before.shard == 1]
    task = task_of(deletion_of(DATA, GraphRequest("indices", indices=tuple(nodes.tolist()))))
    after = finish(method.forget(before, task))
    assert list(after.networks) == [0, 2, 3]
    assert after.logits(DATA.graph).isfinite().all()


# Influence


def converged(graph: Graph, recipe: GraphRecipe) -> GraphNetwork:
    """The minimum of J of a linear network, which is convex."""
    network = GraphNetwork(recipe, 30, 3, torch.Generator().manual_seed(0))
    optimiser = torch.optim.LBFGS(
        network.parameters(), max_iter=500, tolerance_grad=1e-9, line_search_fn="strong_wolfe"
    )
    labels = torch.from_numpy(graph.labels)

    def loss() -> Tensor:
        optimiser.zero_grad()
        size = sum(weight.square().sum() for weight in network.parameters())
        found = torch.nn.functional.cross_entropy(network(graph), labels)
        found = found + recipe.weight_decay / 2 * size
        found.backward()
        return found

    optimiser.step(loss)
    return network


def moved(first: GraphNetwork, second: GraphNetwork) -> Tensor:
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    return torch.cat([(b - a).detach().reshape(-1) for a, b in pairs])


@pytest.mark.parametrize("text", ["nodes:1", "edges:1", "features:1", "nodes:5"])
def test_influence_is_leaving_out_on_a_linear_network(text: str) -> None:
    """The step of GIF against the difference that retraining makes, where both are known."""
    recipe = replace(SHORT, kind="sgc", weight_decay=0.02)
    task = Task(DATA, deletion_of(DATA, parse_graph_request(text, 3)), recipe, 0)
    before = converged(DATA.training_graph, recipe)
    assert gradient(before, DATA.training_graph).abs().max() < 1e-4
    after = finish(make("gif", {"damping": 0, "iterations": 200}).forget(before, task))
    retrained = converged(task.left, recipe)
    step, truth = moved(before, after), moved(before, retrained)
    assert (step - truth).norm() < 0.15 * truth.norm()
    assert torch.cosine_similarity(step, truth, dim=0) > 0.99


def test_the_curvature_is_the_hessian_of_a_linear_network() -> None:
    recipe = replace(SHORT, kind="sgc", weight_decay=0.02)
    network = drawn(recipe)
    graph = DATA.training_graph
    along = torch.randn(30 * 3 + 3, generator=torch.Generator().manual_seed(1))
    found = finish(curvature_product(network, graph, along))
    step = 1e-2
    sides = []
    for sign in (1, -1):
        shifted = drawn(recipe)
        parts = along.split([w.numel() for w in shifted.parameters()])
        with torch.no_grad():
            for weight, part in zip(shifted.parameters(), parts, strict=True):
                weight.add_(part.view_as(weight), alpha=sign * step)
        sides.append(gradient(shifted, graph))
    expected = (sides[0] - sides[1]) / (2 * step)
    assert (found - expected).norm() < 0.01 * expected.norm()


# All methods


QUICK = {"graph_eraser": SMALL, "gif": {"iterations": 5}, "fine_tune": {"epochs": 3}}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("text", ["nodes:4", "edges:4", "features:4"])
def test_every_method_gives_another_model_and_leaves_its_own(name: str, text: str) -> None:
    method, task = make(name, QUICK.get(name)), task_of(text)
    before = finish(method.train(task))
    known = before.logits(DATA.graph).clone()
    found = [finish(method.forget(before, task)).logits(DATA.graph) for _ in range(2)]
    assert torch.equal(before.logits(DATA.graph), known)
    assert torch.equal(*found)
    assert found[0].isfinite().all()
    assert torch.equal(found[0], known) == (name == "do_nothing")


def test_fine_tuning_reads_what_is_left_and_ascent_what_goes() -> None:
    """Junk in place of all that a method must not read changes nothing."""
    task = task_of("nodes:6")
    before = finish(make("fine_tune").train(task))
    labels = DATA.graph.labels.copy()
    labels[task.deletion.nodes] = (labels[task.deletion.nodes] + 1) % 3
    lied = replace(task, dataset=replace(DATA, graph=replace(DATA.graph, labels=labels)))
    same = {}
    for name in ("fine_tune", "gradient_ascent"):
        found = [finish(make(name, QUICK.get(name)).forget(before, t)) for t in (task, lied)]
        same[name] = torch.equal(*(network.logits(DATA.graph) for network in found))
    assert same == {"fine_tune": True, "gradient_ascent": False}


def test_ascent_raises_the_loss_of_what_goes() -> None:
    task = task_of("nodes:10")
    before = finish(train(DATA.training_graph, 3, replace(SHORT, epochs=60), 0))
    after = finish(make("gradient_ascent").forget(before, task))
    nodes = torch.from_numpy(task.deletion.nodes)
    labels = torch.from_numpy(DATA.graph.labels[task.deletion.nodes])
    losses = [
        float(torch.nn.functional.cross_entropy(model.logits(DATA.graph)[nodes], labels))
        for model in (before, after)
    ]
    assert losses[1] > losses[0] + 0.01


def test_settings_that_do_not_fit() -> None:
    with pytest.raises(UnknownMethod):
        make("sisa")
    for name, settings in [
        ("retrain", {"shards": 2}),
        ("graph_eraser", {"partition": "louvain"}),
        ("graph_eraser", {"aggregation": "max"}),
        ("graph_eraser", {"shards": 1}),
        ("graph_eraser", {"shards": "2.5"}),
        ("graph_eraser", {"repartition": "perhaps"}),
        ("gif", {"damping": -1}),
        ("fine_tune", {"learning_rate": 7}),
        ("fine_tune", {"learning_rate": "fast"}),
    ]:
        with pytest.raises(BadSetting):
            make(name, settings)
    assert make("graph_eraser", {"repartition": "on", "shards": "5"}).shards == 5
