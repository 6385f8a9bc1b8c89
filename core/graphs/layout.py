"""Where the nodes of a graph are drawn: near to those that are like them and their neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.graphs.data.graph import Graph
from core.graphs.partitions.bekm import embedding

ITERATIONS = 300


def layout(graph: Graph) -> NDArray[np.float64]:
    """float64 (n, 2), from 0 to 1 on both axes; the same each time. t-SNE (van der Maaten & Hinton
    2008) of the nodes' embeddings, which no label plays a part in."""
    from sklearn.manifold import TSNE

    drawn = TSNE(init="pca", random_state=0, max_iter=ITERATIONS).fit_transform(embedding(graph, 0))
    low, high = drawn.min(axis=0), drawn.max(axis=0)
    placed: NDArray[np.float64] = (drawn - low) / (high - low)
    return placed
