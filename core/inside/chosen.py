"""Which images are looked at, and which of the ideal's networks are asked about them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np

from core.data.dataset import ImageDataset
from core.data.requests import FOLDS
from core.data.splits import Indices, Split, drawn, fold_of_each
from core.metrics.representation import FEWEST

FORGET, FORGET_OF_CLASS, RETAIN, TEST, OTHERS = 700, 300, 1_000, 700, 600
"""At most so many images of each set: three networks see as many as two cores pass through them in
seven seconds."""
ENOUGH = 400
"""Images to forget for which no further network of a put-together ideal is asked."""
NETWORKS = 4
"""So many of them at most, unless fewer than `FEWEST` images to forget have one then."""
RETAIN_OF_SEVERAL, RETAIN_OF_MANY = 700, 400
"""Images to keep where up to so many networks see them, and where more do."""


@dataclass(frozen=True)
class Chosen:
    """forget, retain: indices of training images. test: of the test images that the forget set is
    compared with; others: of those of the classes that stay, the same where scattered images are
    forgotten. folds: whose networks the ideal is put together from here; empty where it is one.
    test_judges: int64 (test,), the fold that is asked about each.
    """

    forget: Indices = field(repr=False)
    retain: Indices = field(repr=False)
    test: Indices = field(repr=False)
    others: Indices = field(repr=False)
    whole: bool
    folds: tuple[int, ...] = ()
    test_judges: Indices = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)

    @property
    def digest(self) -> str:
        """Names them: sha256, 16 hexadecimal digits."""
        named = hashlib.sha256(repr(self.folds).encode())
        for indices in (self.forget, self.retain, self.test, self.others, self.test_judges):
            named.update(b"/" + indices.astype("<i8").tobytes())
        return named.hexdigest()[:16]


def chosen(dataset: ImageDataset, parts: Split, put_together: bool) -> Chosen:
    """The same images for every network that is judged by this split.

    put_together: whether the ideal has a network for each fold: then the images to forget are some
    of those in as few folds as give enough, each to be asked of the network of its own fold. Folds
    are drawn at random, so these are a random sample too.
    """
    whole = bool(parts.whole_classes)
    test = drawn(parts.test_fair, TEST)
    others = drawn(parts.test_retained, OTHERS) if whole else test
    if not put_together:
        forget = drawn(parts.forget, FORGET_OF_CLASS if whole else FORGET)
        return Chosen(forget, drawn(parts.retain, RETAIN), test, others, whole)
    own = fold_of_each(len(dataset.train_labels))[parts.forget]
    folds = _folds_asked(np.bincount(own, minlength=FOLDS))
    forget = drawn(parts.forget[np.isin(own, folds)], FORGET)
    several = RETAIN_OF_SEVERAL if len(folds) <= NETWORKS else RETAIN_OF_MANY
    retain = drawn(parts.retain, RETAIN if len(folds) == 1 else several)
    judges = np.random.default_rng(0).choice(own[np.isin(own, folds)], len(test))
    return Chosen(forget, retain, test, others, whole, folds, judges)


def _folds_asked(counts: Indices) -> tuple[int, ...]:
    """Those with the most images to forget, until there are enough. counts: of each fold."""
    asked: list[int] = []
    for fold in np.argsort(-counts, kind="stable").tolist():
        have = int(counts[asked].sum())
        if not counts[fold] or have >= ENOUGH or (len(asked) >= NETWORKS and have >= FEWEST):
            break
        asked.append(fold)
    return tuple(asked)
