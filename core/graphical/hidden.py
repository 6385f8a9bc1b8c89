"""Models with a hidden variable: a Gaussian mixture and a hidden Markov model a class, by EM.

Nobody saw which component an image came from, so EM guesses: each image's responsibilities come
from parameters that all images made. The expected statistics are sums over images still, and an
image's own share of them can be taken away, but what it did to the shares of the others stays. So
the hidden variable is what breaks exactness: to take responsibilities away is one step of EM on the
other images, from where all of them led, and more steps end in a maximum near there, which need not
be the one that EM finds without the image. Only a class that loses all or none of its images is
exact: no hidden variable is shared between classes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from core.graphical.chains import Chain, Expected, converged, likeliest, log_sum, weighted
from core.graphical.model import Floats, Model, Rows, class_prior
from core.graphical.statistics import Counts

MOST = 300
"""Steps of EM at most."""


@dataclass(frozen=True, eq=False)
class HiddenModel(Model):
    """p(x, c) = p(c) p(x | chain of c). STEPS: of the sequence that an image is. STATES: at
    each step.

    images: int64 (C,). chains: of each class. expected: of all images of a class by its own chain.
    rounds: steps of EM, of the class that took most.
    """

    STEPS: ClassVar[int]
    STATES: ClassVar[int]

    images: Counts
    chains: tuple[Chain, ...]
    expected: tuple[Expected, ...]
    rounds: int = 0

    @classmethod
    def sequences(cls, x: NDArray[Any]) -> Floats:
        """float64 (n, STEPS, 64 / STEPS)."""
        return x.astype(np.float64).reshape(len(x), cls.STEPS, x.shape[1] // cls.STEPS)

    @classmethod
    def fit(cls, rows: Rows, classes: int, seed: int = 0) -> Self:
        """EM from k-means, until it has converged. seed: of k-means."""
        starts = []
        for c in range(classes):
            x = cls.sequences(rows.x[rows.labels == c])
            starts.append(likeliest(cls._start(x, seed)))
        images = np.bincount(rows.labels, minlength=classes)
        nothing = (Expected(*[np.zeros(0)] * 5),) * classes
        return cls(images, tuple(starts), nothing).continued(rows, MOST, range(classes))

    @classmethod
    def _start(cls, x: Floats, seed: int) -> Expected:
        """The statistics where each sequence belongs, at each step, to its cluster of k-means
        entirely."""
        one_hot = np.zeros((*x.shape[:2], cls.STATES))
        for t in range(cls.STEPS):
            one_hot[np.arange(len(x)), t, _clusters(x[:, t], cls.STATES, seed)] = 1
        before, after = one_hot[:, :-1].transpose(1, 2, 0), one_hot[:, 1:].swapaxes(0, 1)
        return weighted(x, one_hot, before @ after)

    def continued(self, rows: Rows, most: int, classes: Collection[int]) -> Self:
        """EM on these rows, for each of these classes `most` steps or until it has converged."""
        chains, expected, rounds = list(self.chains), list(self.expected), 0
        for c in classes:
            x = self.sequences(rows.x[rows.labels == c])
            chains[c], expected[c], steps = converged(chains[c], x, most)
            rounds = max(rounds, steps)
        return dataclasses.replace(
            self, chains=tuple(chains), expected=tuple(expected), rounds=self.rounds + rounds
        )

    def without_responsibilities(self, rows: Rows) -> Self:
        """What these rows are responsible for taken away, and the likeliest chains of the rest: one
        step of EM on the other images, at the cost of these alone. The chains of classes that lose
        no image stay, and that of a class that loses all is the prior's: both exactly."""
        images = self.images - np.bincount(rows.labels, minlength=self.classes)
        chains, left = list(self.chains), list(self.expected)
        for c in np.unique(rows.labels):
            own, _ = chains[c].expected(self.sequences(rows.x[rows.labels == c]))
            left[c] = left[c].less(own if images[c] else left[c])
            chains[c] = likeliest(left[c])
        return dataclasses.replace(self, images=images, chains=tuple(chains), expected=tuple(left))

    @property
    def classes(self) -> int:
        return len(self.images)

    @property
    def parameters(self) -> Mapping[str, NDArray[Any]]:
        found = {"prior": class_prior(self.images)}
        for c, chain in enumerate(self.chains):
            found |= {f"{f.name}.{c}": getattr(chain, f.name) for f in dataclasses.fields(chain)}
        return found

    def last(self, x: NDArray[Any]) -> Floats:
        """log p(x, last state | class), float64 (n, C, STATES)."""
        return np.stack([chain.last(self.sequences(x)) for chain in self.chains], axis=1)

    def scores(self, x: NDArray[Any]) -> Floats:
        return log_sum(self.last(x))[:, :, 0] + class_prior(self.images)

    def inside(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """The logarithm of each hidden state's part of the density, (n, C STATES)."""
        return self.last(x).reshape(len(x), -1).astype(np.float32)

    def states(self, rows: Rows) -> NDArray[np.int64]:
        """int64 (n, STEPS): the likeliest hidden state at each step of every row, by the chain of
        its label."""
        found = np.zeros((len(rows), self.STEPS), np.int64)
        for c, chain in enumerate(self.chains):
            mine = rows.labels == c
            found[mine] = chain.responsibilities(self.sequences(rows.x[mine]))[0].argmax(2)
        return found


def _clusters(x: Floats, most: int, seed: int) -> NDArray[np.int64]:
    """int64 (n,): at most `most` clusters of k-means, fewer where fewer rows differ."""
    from sklearn.cluster import KMeans

    distinct = min(most, len(np.unique(x, axis=0)))
    if distinct < 2:
        return np.zeros(len(x), np.int64)
    found: NDArray[np.int64] = KMeans(distinct, n_init=1, random_state=seed).fit_predict(x)
    return found


class Mixture(HiddenModel):
    """p(x | c) = sum_k w_ck N(x; m_ck, diag v_ck) (Hastie & Tibshirani, JRSS B 1996)."""

    name, label = "mixture", "Gaussian mixture"
    sentence = "Says that each digit is written in a few ways, and guesses which image is of which."
    STEPS, STATES = 1, 4


class Hmm(HiddenModel):
    """An image is read row by row, eight steps of eight pixels; each row is written in one of a few
    ways, which hangs on the way of the row above."""

    name, label = "hmm", "Hidden Markov model"
    sentence = (
        "Reads a digit row by row, and guesses in which of three ways each row is written, by its "
        "pixels and by the row above."
    )
    STEPS, STATES = 8, 3
