"""Graph networks on PyTorch Geometric: a graph in, logits of each of its nodes out.

Features are sparse (a paper has some thirty words of thousands), so that the first layer multiplies
before it passes messages. Nothing is kept from one graph to the next, so that a network can be
asked about any.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from core.graphs.data.graph import Graph
from core.graphs.recipe import GraphRecipe
from core.graphs.sparse import Sparse, kept

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it scripts classes of its own, which torch no longer advises
    from torch_geometric.nn import GCNConv, MessagePassing, SimpleConv
    from torch_geometric.nn.conv.gcn_conv import gcn_norm
    from torch_geometric.utils import degree


@dataclass(frozen=True)
class Inputs:
    """What a network reads of a graph. features: of its nodes. edges: int64 (2, messages), from and
    to, both ways. weights: float32 (messages,): 1 / sqrt(d_u d_v) of the degrees in it, and
    1 / d_v for GraphSAGE's mean."""

    features: Sparse
    edges: Tensor
    weights: Tensor


_KEPT: WeakKeyDictionary[Graph, dict[tuple[bool, bool], Inputs]] = WeakKeyDictionary()


def inputs_of(graph: Graph, recipe: GraphRecipe) -> Inputs:
    """Made once for each graph and kind of network."""
    made = _KEPT.setdefault(graph, {})
    by_mean = recipe.kind == "sage"
    if (by_mean, recipe.self_loops) not in made:
        edges = np.concatenate([graph.edges, graph.edges[::-1]], axis=1)
        if recipe.self_loops:
            edges = np.concatenate([edges, np.tile(np.arange(len(graph)), (2, 1))], axis=1)
        messages = torch.from_numpy(np.ascontiguousarray(edges))
        if by_mean:
            weights = 1 / degree(messages[1], len(graph)).clamp(min=1)[messages[1]]
        else:
            weights = gcn_norm(messages, None, len(graph), add_self_loops=False)[1]
        found = Inputs(Sparse.of(graph.features), messages, weights)
        made[by_mean, recipe.self_loops] = found
    return made[by_mean, recipe.self_loops]


class Product(nn.Module):
    """x W, x dense or sparse. W lies as (inputs, outputs), as a sparse x multiplies it fastest."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))

    def forward(self, x: Tensor | Sparse) -> Tensor:
        return x.times(self.weight) if isinstance(x, Sparse) else x @ self.weight


class MeanConv(MessagePassing):  # type: ignore[misc]
    """GraphSAGE's layer with the mean (PyTorch Geometric's `SAGEConv`), multiplied before it is
    averaged, which is the same. The first half of the product is of the neighbours."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(aggr="sum")
        self.lin = Product(inputs, 2 * outputs)
        self.bias = nn.Parameter(torch.empty(outputs))

    def forward(self, x: Tensor | Sparse, edges: Tensor, weights: Tensor) -> Tensor:
        heard, own = self.lin(x).chunk(2, dim=1)
        found: Tensor = self.propagate(edges, x=heard, weights=weights) + own + self.bias
        return found

    def message(self, x_j: Tensor, weights: Tensor) -> Tensor:
        return weights[:, None] * x_j


class GraphNetwork(nn.Module):
    """Two layers; see `GraphRecipe`. Weights are drawn from `generator` (Glorot's uniform, biases
    zero)."""

    def __init__(
        self, recipe: GraphRecipe, features: int, classes: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.recipe = recipe
        self.first: nn.Module
        self.second: nn.Module
        if recipe.kind == "sgc":
            self.first, self.second = Product(features, classes), SimpleConv(aggr="sum")
            self.bias = nn.Parameter(torch.empty(classes))
        else:
            layer = _gcn if recipe.kind == "gcn" else MeanConv
            self.first = layer(features, recipe.hidden)
            self.second = layer(recipe.hidden, classes)
        with torch.no_grad():
            for weight in self.parameters():
                if weight.dim() > 1:
                    limit = (6 / sum(weight.shape)) ** 0.5
                    weight.uniform_(-limit, limit, generator=generator)
                else:
                    weight.zero_()

    def hidden(self, graph: Graph, draw: torch.Generator | None = None) -> Tensor:
        """float32 (n, hidden): what the last layer reads. draw: of dropout, None without it."""
        read = inputs_of(graph, self.recipe)
        share = self.recipe.dropout if draw else 0.0
        heard = self.first(read.features.dropped(share, draw), read.edges, read.weights).relu()
        factors: Tensor | float = 1.0
        if share:
            factors = kept(heard.numel(), share, draw).view_as(heard)
        dropped: Tensor = heard * factors
        return dropped

    def forward(self, graph: Graph, draw: torch.Generator | None = None) -> Tensor:
        """float32 (n, classes): the logits of each node. draw: as in `hidden`."""
        read = inputs_of(graph, self.recipe)
        if self.recipe.kind == "sgc":
            heard: Tensor = self.first(read.features)
            for _ in range(2):
                heard = self.second(heard, read.edges, read.weights)
            return heard + self.bias
        logits: Tensor = self.second(self.hidden(graph, draw), read.edges, read.weights)
        return logits

    @torch.no_grad()
    def widen(self, places: Tensor, features: int) -> None:
        """From now on it reads `features` features of a node: those at `places` are what it read
        until now, the others have weights of zero."""
        for part in self.first.modules():
            if isinstance(part, Product):
                wide = torch.zeros(features, part.weight.shape[1])
                wide[places] = part.weight
                part.weight = nn.Parameter(wide)

    @torch.no_grad()
    def logits(self, graph: Graph) -> Tensor:
        """The same without dropout and without a gradient."""
        found: Tensor = self(graph)
        return found


def _gcn(inputs: int, outputs: int) -> nn.Module:
    layer: nn.Module = GCNConv(1, outputs, normalize=False, add_self_loops=False)
    layer.lin = Product(inputs, outputs)
    return layer
