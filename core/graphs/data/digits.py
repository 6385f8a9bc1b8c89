"""The graph that needs no file: scikit-learn's handwritten digits, each joined to those that look
most like it. No digit cites another: the edges are made, from the pixels."""

from __future__ import annotations

import functools

import numpy as np

from core.graphs.data.graph import Graph, GraphDataset, dataset_of, undirected

NEIGHBOURS = 5


@functools.cache
def digits_graph(seed: int = 0) -> GraphDataset:
    """1,797 digits of 8 x 8 pixels, each with edges to its `NEIGHBOURS` nearest others by
    Euclidean distance, of those equally near to the earlier ones. seed: of the deal into training
    and test nodes."""
    from scipy.sparse import csr_array
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    # Whole numbers, so exact in whatever order they are summed: ties are ties on every machine.
    squares = (pixels**2).sum(axis=1)
    apart = squares[:, None] + squares - 2 * pixels @ pixels.T
    np.fill_diagonal(apart, np.inf)
    nearest = np.argsort(apart, axis=1, kind="stable")[:, :NEIGHBOURS]
    edges = undirected(np.repeat(np.arange(len(pixels)), NEIGHBOURS), nearest.ravel())
    features = csr_array((pixels / 16).astype(np.float32))
    graph = Graph(np.arange(len(pixels)), features, labels.astype(np.int64), edges)
    return dataset_of(
        "digits-graph",
        graph,
        tuple(str(digit) for digit in range(10)),
        f"scikit-learn's {len(pixels):,} handwritten digits; the edges are made: each digit is "
        f"joined to the {NEIGHBOURS} that look most like it.",
        seed,
    )
