"""What a network still knows inside, whatever it answers: a fresh read-out of its features, an
attack on them, and how alike they are to the ideal's.

A network may silence an answer and keep all that led to it. So a new head, a logistic regression,
is fitted on its frozen features, or features of forgotten images are told from those of new ones.
scikit-learn is imported in the functions, as in `core.attacks.simple_mia`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.attacks.attack import AREA
from core.attacks.curve import auc
from core.data.splits import Indices, drawn
from core.metrics.evidence import Evidence
from core.metrics.measures import Measure, of_images
from core.metrics.metric import OUTCOMES, Metric

FEATURES = OUTCOMES | {"features"}
KNOWN_OF_FORGOTTEN = 500
"""Images to forget that a read-out learns from where a whole class is forgotten."""
READ_OUTS = 5
"""Read-outs whose mean is taken where a whole class is forgotten, each with other images to forget:
the luck of a single one widens the interval of a difference by a quarter or more."""
READ_OUT_MARGIN = 0.03
"""A read-out is fitted anew on other features, which moves it by a point or two."""
ATTACKED = 1_000
"""At most so many images a side are told apart: five fits of more take seconds."""
FEWEST = 50
"""Images a side below which a read-out or an attack on features is luck."""


def read_out(features: NDArray[np.float32], labels: Indices) -> Any:
    """A logistic regression on standardised features: `predict` of (n, d) gives int64 (n,)."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=200, tol=1e-3))
    return model.fit(_finite(features), labels)


def excess_of_forgotten(
    evidence: Evidence,
    known_of_forgotten: int = KNOWN_OF_FORGOTTEN,
    read_outs: int = READ_OUTS,
) -> Measure | None:
    """How much better a fresh read-out knows what is to be forgotten than what it is compared with.

    Of whole classes: its recall of them on test images, less its accuracy on the other classes; it
    is fitted on retained images and on `known_of_forgotten` of the forgotten, anew for each so
    many of them, at most `read_outs` times, and what is said of an image is the mean. Of other
    sets: its accuracy on the images to forget less that on test images, fitted on retained images
    alone. Where the images are looked at in several networks, each has a read-out of its own.
    """
    forget, retain = evidence.sample("forget"), evidence.sample("retain")
    test, kept = evidence.sample("test"), evidence.sample("test_retained")
    if min(len(s.labels) for s in (forget, retain, test, kept)) < FEWEST:
        return None
    whole = evidence.split.whole_classes
    sides = (test, kept) if whole else (forget, test)
    nothing = np.zeros(0, np.int64)
    learned = _by_turns(len(forget.labels), known_of_forgotten, read_outs) if whole else [nothing]
    right = [np.zeros(len(side.labels), np.float32) for side in sides]
    for model in evidence.networks:
        known = retain.of(model)
        for some in learned:
            fitted = read_out(
                np.concatenate([forget.features[some], retain.features[known]]),
                np.concatenate([forget.labels[some], retain.labels[known]]),
            )
            for side, found in zip(sides, right, strict=True):
                if (judged := side.of(model)).any():
                    said = fitted.predict(_finite(side.features[judged]))
                    found[judged] += said == side.labels[judged]
    first, second = (found / np.float32(len(learned)) for found in right)
    return of_images(first, -second, low=-1.0)


def _by_turns(n: int, size: int, most: int) -> list[Indices]:
    """Of `n` images as often `size` others as there are, at most `most` times; once all of them
    where they are fewer."""
    mixed = np.random.default_rng(0).permutation(n)
    return [np.sort(mixed[i * size : (i + 1) * size]) for i in range(min(most, max(1, n // size)))]


def feature_attack(evidence: Evidence) -> Measure | None:
    """The AUC of a logistic regression that tells features of images to forget from those of new
    ones, each judged by a fit on other images (five folds). None of an ideal of several networks,
    whose features say less of an image than of the network."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    forget, test = evidence.sample("forget").features, evidence.sample("test").features
    n = min(len(forget), len(test), ATTACKED)
    if n < FEWEST or len(evidence.networks) > 1:
        return None
    members = np.repeat([1, 0], n)
    scores = cross_val_predict(
        make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200, tol=1e-3)),
        _finite(np.concatenate([x[drawn(np.arange(len(x)), n)] for x in (forget, test)])),
        members,
        cv=StratifiedKFold(5, shuffle=True, random_state=0),
        method="decision_function",
    )
    return auc(scores[members == 1], scores[members == 0])


def cka(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Linear centred kernel alignment of two networks' features of the same images (Kornblith et
    al. 2019, arXiv 1905.00414): 1 of the same features, turned or scaled alike, about 0 of
    unrelated ones. Of the unbiased estimate (Song et al. 2012; Nguyen et al. 2021, arXiv
    2010.15327): the plain one calls few images of many features alike, whatever they are. first:
    (n, d), second: (n, e), n at least 4. Not a number where either is constant."""
    a, b = (x.astype(np.float64) - x.mean(axis=0, dtype=np.float64) for x in (first, second))
    sizes = _unbiased_hsic(a, a) * _unbiased_hsic(b, b)
    return _unbiased_hsic(a, b) / math.sqrt(sizes) if sizes > 0 else float("nan")


def _unbiased_hsic(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """The Hilbert-Schmidt independence criterion of linear kernels K and L with zeros on their
    diagonals, n (n - 3) times: tr(KL) + sum(K) sum(L) / ((n - 1) (n - 2)) - 2 sum(KL) / (n - 2);
    from the features alone, so that no n by n matrix is made."""
    n = len(a)
    diagonals = [np.einsum("ij,ij->i", x, x) for x in (a, b)]
    of_rows = [x @ x.sum(axis=0) - own for x, own in zip((a, b), diagonals, strict=True)]
    trace = np.linalg.norm(a.T @ b) ** 2 - diagonals[0] @ diagonals[1]
    sums = of_rows[0].sum() * of_rows[1].sum() / ((n - 1) * (n - 2))
    return float(trace + sums - 2 * (of_rows[0] @ of_rows[1]) / (n - 2))


def _alike(name: str, label: str, sentence: str, sample: str) -> Metric:
    def measure(evidence: Evidence) -> Measure | None:
        ideal = evidence.ideal
        # Of the folds the images to forget may be in one network's tenth, those to keep never are.
        if ideal is None or ideal.samples is None or ideal.networks != [None]:
            return None
        ours, others = evidence.sample(sample).features, ideal.sample(sample).features
        if len(ours) < FEWEST:
            return None
        return Measure(cka(_finite(ours), _finite(others)), np.nan, np.nan, len(ours))

    return Metric(name, label, sentence, measure, FEATURES | {"ideal"}, slow=True)


def _finite(features: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.nan_to_num(features, nan=0.0, posinf=1e4, neginf=-1e4)


RE_HEAD = Metric(
    "re_head",
    "re-head excess",
    "How much better a fresh last layer, put on the network as it is inside, knows what was to be "
    "forgotten than what it can be compared with.",
    excess_of_forgotten,
    FEATURES,
    slow=True,
    signal="inside",
    margin=READ_OUT_MARGIN,
)
FEATURE_ATTACK = Metric(
    "feature_auc",
    "attack on features, AUC",
    "How often what goes on inside tells a forgotten image from a new one, of all pairs.",
    feature_attack,
    FEATURES,
    slow=True,
    margin=AREA,
)
CKA_FORGET = _alike(
    "cka_forget",
    "CKA to the ideal, forget set",
    "How alike the network and the ideal are inside, on the images to forget; 1 is the same.",
    "forget",
)
CKA_RETAIN = _alike(
    "cka_retain",
    "CKA to the ideal, retain set",
    "How alike the network and the ideal are inside, on the images to keep; 1 is the same.",
    "retain",
)
