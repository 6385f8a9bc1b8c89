"""Trees over binarised pixels: which pixels go together, learned from counts of pairs.

Chow & Liu (IEEE Trans. Inf. Theory 1968, whose own example was handwritten numerals) learn one tree
a class: the spanning tree of the largest sum of mutual informations is the likeliest of all.
Tree-augmented naive Bayes (Friedman, Geiger & Goldszmidt, Machine Learning 1997) has one tree for
all classes, by the mutual information given the class. Both are functions of the counts of pairs,
so both forget exactly; the tree itself may be another one then.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import minimum_spanning_tree

from core.graphical.model import Floats, PixelModel, Rows, class_prior
from core.graphical.statistics import Counts, Statistics, symmetric, upper

INK = 8
"""From this grey on a pixel of a digit counts as ink."""
SAMPLE = 2
"""Imagined images of each class, spread evenly over the values of every pixel and pair: the
"equivalent sample size" of a Dirichlet that treats both ends of an edge alike."""

NOISE = 1e-6
"""Nats in all images together: less is rounding, and no information."""

Edges = NDArray[np.int64]
"""(edges, 2), the two pixels of each, the smaller first; sorted."""


class Trees(PixelModel):
    """p(x, c) = p(c) prod_i p(x_i | c) prod_(i, j) p(x_i, x_j | c) / (p(x_i | c) p(x_j | c)), the
    last product over the tree's edges.

    Tables: images (C,), both (C, 2080): in how many images two of 64 pixels are ink together, or
    one is, each pair once. Pixels that tell nothing of each other get no edge.
    """

    @classmethod
    def count(cls, rows: Rows, classes: int) -> Statistics:
        ink = (rows.x >= INK).astype(np.float64)
        of_class = (ink[rows.labels == c] for c in range(classes))
        both = np.stack([some.T @ some for some in of_class])  # whole numbers, so exact
        images = np.bincount(rows.labels, minlength=classes)
        return Statistics({"images": images, "both": upper(both.astype(np.int64))})

    @property
    def ink(self) -> Counts:
        return np.diagonal(self.both, axis1=1, axis2=2)

    @property
    def average(self) -> Floats:
        found: Floats = np.exp(self.parameters["pixels"][:, :, 1])
        return found

    @cached_property
    def both(self) -> Counts:
        """int64 (C, 64, 64), as in the tables."""
        return symmetric(self.statistics.tables["both"])

    @cached_property
    def informations(self) -> Floats:
        """(C, 64, 64): the mutual information of every two pixels in each class, times its number
        of images, in nats."""
        return mutual_informations(self.images, self.both)

    @cached_property
    @abstractmethod
    def edges(self) -> list[Edges]:
        """The tree of each class."""

    @cached_property
    def parameters(self) -> Mapping[str, NDArray[Any]]:
        n = self.images[:, None, None, None]
        pairs = pair_counts(self.images, self.both)
        two = np.log((pairs + SAMPLE / 4) / (n + SAMPLE))
        pixels = np.arange(pairs.shape[1])
        inked = pairs[:, pixels, pixels][:, :, [0, 3]]
        one = np.log((inked + SAMPLE / 2) / (n[:, 0] + SAMPLE))
        found: dict[str, NDArray[Any]] = {"prior": class_prior(self.images), "pixels": one}
        for c, edges in enumerate(self.edges):
            i, j = edges.T
            marginals = one[c, i][:, [0, 0, 1, 1]] + one[c, j][:, [0, 1, 0, 1]]
            found[f"edges.{c}"], found[f"pairs.{c}"] = edges, two[c, i, j] - marginals
        return found

    def scores(self, x: NDArray[Any]) -> Floats:
        ink, found = (x >= INK).astype(np.int64), self.parameters
        scores = np.tile(found["prior"], (len(x), 1))
        for c, edges in enumerate(self.edges):
            scores[:, c] += found["pixels"][c][np.arange(x.shape[1]), ink].sum(1)
            together = 2 * ink[:, edges[:, 0]] + ink[:, edges[:, 1]]
            scores[:, c] += found[f"pairs.{c}"][np.arange(len(edges)), together].sum(1)
        return scores


class ChowLiu(Trees):
    """A tree a class."""

    name, label = "chow_liu", "Chow-Liu trees"
    sentence = "Learns a tree of pixels for each digit, from how often two pixels are ink together."

    @cached_property
    def edges(self) -> list[Edges]:
        return [heaviest_tree(weights) for weights in self.informations]


class TreeAugmented(Trees):
    """One tree for all classes."""

    name, label = "tan", "Tree-augmented naive Bayes"
    sentence = "Learns one tree of pixels for all digits, from how pixels go together within each."

    @cached_property
    def edges(self) -> list[Edges]:
        tree = heaviest_tree(self.informations.sum(0))
        return [tree] * len(self.images)


def pair_counts(images: Counts, both: Counts) -> Counts:
    """(C, 64, 64, 4): in how many images two pixels are (paper, paper), (paper, ink), (ink, paper)
    and (ink, ink)."""
    first = np.diagonal(both, axis1=1, axis2=2)[:, :, None]
    second, n = first.transpose(0, 2, 1), images[:, None, None]
    return np.stack([n - first - second + both, second - both, first - both, both], axis=-1)


def mutual_informations(images: Counts, both: Counts) -> Floats:
    """As in `Trees.informations`, by n I(i, j) = sum over values of n_ij log n_ij - n_i log n_i -
    n_j log n_j, + n log n. The logarithms come from a table, and the sums have one order, so that
    equal counts give equal bits."""
    k = np.arange(int(images.max(initial=0)) + 1, dtype=np.float64)
    k_log_k: Floats = k * np.log(np.maximum(k, 1))
    pairs = pair_counts(images, both)
    pixels = np.arange(both.shape[1])
    of_one = k_log_k[pairs[:, pixels, pixels]][..., [0, 3]]
    entropies: Floats = of_one[..., 0] + of_one[..., 1]
    of_two = k_log_k[pairs]
    joint: Floats = of_two[..., 0] + of_two[..., 1] + of_two[..., 2] + of_two[..., 3]
    apart: Floats = joint - (entropies[:, :, None] + entropies[:, None, :])
    found: Floats = np.maximum(apart + k_log_k[images][:, None, None], 0.0)
    return found


def heaviest_tree(weights: Floats) -> Edges:
    """The edges of the spanning tree of the largest weight (of a forest, where there are no weights
    above `NOISE`). weights: (d, d), symmetric."""
    found = minimum_spanning_tree(csr_array(-np.triu(np.where(weights > NOISE, weights, 0), 1)))
    found = found.tocoo()
    edges = np.stack([found.row, found.col], axis=1).astype(np.int64)
    edges = np.sort(edges, axis=1)
    return edges[np.lexsort((edges[:, 1], edges[:, 0]))]
