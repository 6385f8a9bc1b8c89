"""Models with a hidden variable: a Gaussian mixture and a hidden Markov model a class, by EM.

Nobody saw which component an image came from, so EM guesses: each image's responsibilities come
from parameters that all images made. The expected statistics are sums over images still, and an
image's own share of them can be taken away, but what it did to the shares of the others stays. So
the hidden variable is what breaks exactness: to take responsibilities away is one step of EM on the
other images, from where all of them led, and more steps end in a maximum near there, which need not
be the one that EM finds without the image.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from core.graphical.chains import Chain, Expected, likeliest, log_sum, weighted
from core.graphical.model import Floats, Model, Rows, class_prior
from core.graphical.statistics import Counts

TOLERANCE = 1e-2
"""EM has converged where the log-likelihood of a class grows by less, in nats."""
MOST = 300
"""Steps of EM at most."""


@dataclass(frozen=True, eq=False)
class HiddenModel(Model):
    """p(x, c) = p(c) p(x | chain of c). STEPS: of the sequence that an image is. STATES: of each
    chain.

    images: int64 (C,). chains: of each class. expected: of all images of a class by its own chain.
    rounds: steps of EM that it took.
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
        return x.astype(np.float64).reshape(len(x), cls.STEPS, -1)

    @classmethod
    def fit(cls, rows: Rows, classes: int, seed: int = 0) -> Self:
        """EM from k-means, until it has converged. seed: of k-means."""
        chains = []
        for c in range(classes):
            x = cls.sequences(rows.x[rows.labels == c])
            chains.append(likeliest(cls._start(x, seed)))
        images = np.bincount(rows.labels, minlength=classes)
        start = cls(images, tuple(chains), ()).expecting(rows)
        return start.continued(rows, MOST)

    @classmethod
    def _start(cls, x: Floats, seed: int) -> Expected:
        """The statistics where each step belongs to its cluster of k-means entirely."""
        from sklearn.cluster import KMeans

        steps = x.reshape(-1, x.shape[2])
        distinct = min(cls.STATES, len(np.unique(steps, axis=0)))
        found = np.zeros(len(steps), np.int64)
        if distinct > 1:
            found = KMeans(distinct, n_init=1, random_state=seed).fit_predict(steps)
        one_hot = np.eye(cls.STATES)[found].reshape(*x.shape[:2], -1)
        return weighted(x, one_hot, np.einsum("nts,ntu->su", one_hot[:, :-1], one_hot[:, 1:]))

    def expecting(self, rows: Rows) -> Self:
        """The same chains, with what they expect of these rows."""
        found = (
            chain.expected(self.sequences(rows.x[rows.labels == c]))
            for c, chain in enumerate(self.chains)
        )
        return dataclasses.replace(self, expected=tuple(found))

    def steps(self, rows: Rows) -> Iterator[Self]:
        """One step of EM after the other, on these rows; endless."""
        model = self
        while True:
            chains = tuple(likeliest(expected) for expected in model.expected)
            made = dataclasses.replace(model, chains=chains, rounds=model.rounds + 1)
            model = made.expecting(rows)
            yield model

    def continued(self, rows: Rows, most: int) -> Self:
        """Steps of EM on these rows, `most` of them or until it has converged."""
        model, before = self, self.objective(rows)
        for _, model in zip(range(most), self.steps(rows), strict=False):
            after = model.objective(rows)
            if np.max(after - before) < TOLERANCE:
                break
            before = after
        return model

    def without_responsibilities(self, rows: Rows) -> Self:
        """What these rows are responsible for taken away, and the likeliest chains of the rest: one
        step of EM on the other images, at the cost of these alone."""
        own = self.expecting(rows).expected
        images = self.images - np.bincount(rows.labels, minlength=self.classes)
        left = tuple(all.less(some) for all, some in zip(self.expected, own, strict=True))
        chains = tuple(likeliest(expected) for expected in left)
        return dataclasses.replace(self, images=images, chains=chains, expected=left)

    def objective(self, rows: Rows) -> Floats:
        """What EM never lowers, (C,): the log-likelihood of each class and of its prior."""
        found = [
            chain.log_density(self.sequences(rows.x[rows.labels == c])).sum() + chain.log_prior()
            for c, chain in enumerate(self.chains)
        ]
        return np.array(found)

    @property
    def classes(self) -> int:
        return len(self.images)

    @property
    def parameters(self) -> Mapping[str, NDArray[Any]]:
        found = {"prior": class_prior(self.images)}
        for c, chain in enumerate(self.chains):
            found |= {f"{f.name}.{c}": getattr(chain, f.name) for f in dataclasses.fields(chain)}
        return found

    def forward(self, x: NDArray[Any]) -> Floats:
        """log p(x, last state | class), float64 (n, C, STATES)."""
        sequences = self.sequences(x)
        made = (chain.forward(chain.emitted(sequences))[:, -1] for chain in self.chains)
        return np.stack(list(made), axis=1)

    def scores(self, x: NDArray[Any]) -> Floats:
        return log_sum(self.forward(x))[:, :, 0] + class_prior(self.images)

    def inside(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """The logarithm of each hidden state's part of the density, (n, C STATES)."""
        return self.forward(x).reshape(len(x), -1).astype(np.float32)

    def states(self, rows: Rows) -> NDArray[np.int64]:
        """int64 (n, STEPS): the likeliest hidden state at each step of every row, by the chain of
        its label."""
        found = np.zeros((len(rows), self.STEPS), np.int64)
        for c, chain in enumerate(self.chains):
            mine = rows.labels == c
            found[mine] = chain.responsibilities(self.sequences(rows.x[mine]))[0].argmax(2)
        return found


class Mixture(HiddenModel):
    """p(x | c) = sum_k w_ck N(x; m_ck, diag v_ck) (Hastie & Tibshirani, JRSS B 1996)."""

    name, label = "mixture", "Gaussian mixture"
    sentence = "Says that each digit is written in a few ways, and guesses which image is of which."
    STEPS, STATES = 1, 4


class Hmm(HiddenModel):
    """An image is read row by row: eight steps of eight pixels."""

    name, label = "hmm", "Hidden Markov model"
    sentence = "Reads a digit row by row, and guesses which part of the digit each row belongs to."
    STEPS, STATES = 8, 6
