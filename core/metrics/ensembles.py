"""What is said of a method by many models that it left and many that were retrained.

A single network says little of one image: retrained from another seed it may be sure of it, or
not. So the method is run from several seeds, and for each image the two samples of confidences are
compared. All arrays are (models, images), and what there is one of for each image is (images,).
"""

from __future__ import annotations

import math

import numpy as np

from core.attacks.curve import Floats

BINS = 20
"""Of the histogram over the range of both samples."""
CLIPPED = 100.0
"""Confidences beyond are taken for it."""
SMALLEST_SHARE = 1e-5
"""Of retrained models in a bin where there is none."""
DELTA = 1e-5
MOST_EPSILON = 50.0
PEAKED = 0.01
"""One sample so much narrower than the other is told from it at a glance."""


def klom(unlearned: Floats, retrained: Floats) -> Floats:
    """KLoM in nats, 0 or more, one number an image: how far the confidences that the unlearned
    models have in it are from the retrained ones', as the Kullback-Leibler divergence of their
    histograms (Georgiev et al. 2024, arXiv 2410.23232, with the bins of the released code). Of few
    models it is far from 0 for two samples of one kind as well: read it beside theirs."""
    found = []
    for mine, others in zip(*_clipped(unlearned, retrained), strict=True):
        edges = np.histogram_bin_edges(np.concatenate([mine, others]), BINS)
        p, q = (np.histogram(values, edges)[0] / len(values) for values in (mine, others))
        there = p > 0
        found.append((p[there] * np.log(p[there] / np.maximum(q[there], SMALLEST_SHARE))).sum())
    return np.array(found)


def _clipped(*samples: Floats) -> list[Floats]:
    """(images, models) each, without infinities."""
    finite = (np.nan_to_num(x, nan=0.0, posinf=CLIPPED, neginf=-CLIPPED) for x in samples)
    return [np.clip(x, -CLIPPED, CLIPPED).T for x in finite]


def epsilons(unlearned: Floats, retrained: Floats) -> Floats:
    """The challenge's epsilon of each image, 0 to `MOST_EPSILON`: how surely the best attack tells
    an unlearned from a retrained model by its confidence in the image (Triantafillou et al. 2024,
    arXiv 2406.09073). Attacks are all thresholds, and all intervals in which the narrower sample is
    expected, that the values themselves make; one of whose two errors exactly one is zero has seen
    too few models and does not count. 0 where none counts."""
    pairs = zip(*_clipped(unlearned, retrained), strict=True)
    return np.array([_epsilon(mine, others) for mine, others in pairs])


def _epsilon(first: Floats, second: Floats) -> float:
    narrow, wide = sorted((first, second), key=np.ptp)
    if np.ptp(narrow) < PEAKED * np.ptp(wide):
        return MOST_EPSILON
    high, low = sorted((first, second), key=np.median, reverse=True)
    values = np.unique(np.concatenate([first, second]))
    cuts = np.concatenate([[-np.inf], (values[1:] + values[:-1]) / 2, [np.inf]])
    above = _above(high, cuts), _above(low, cuts)
    errors = [(1 - above[0], above[1])]
    inside = []
    for sample in (narrow, wide):
        share = _above(sample, cuts)
        inside.append((share[:, None] - share[None, :])[np.triu_indices(len(cuts), 1)])
    errors.append((1 - inside[0], inside[1]))
    missed, wrong = (np.concatenate(each).round(12) for each in zip(*errors, strict=True))
    if ((missed == 0) & (wrong == 0)).any():
        return MOST_EPSILON
    counts = (missed > 0) & (wrong > 0)
    found = [0.0]
    for one, other in ((missed, wrong), (wrong, missed)):
        usable = counts & (1 - DELTA - one > 0)
        found += list(np.log(1 - DELTA - one[usable]) - np.log(other[usable]))
    return float(np.clip(max(found), 0.0, MOST_EPSILON))


def _above(sample: Floats, cuts: Floats) -> Floats:
    """The share of a sample above each cut."""
    found: Floats = (sample[None, :] > cuts[:, None]).mean(axis=1)
    return found


def forgetting_quality(unlearned: Floats, retrained: Floats) -> float:
    """The challenge's score from 0, everything is betrayed, to 1: an image counts one where its
    epsilon is below .5, half of that for each half more, and nothing above what so many models can
    show at all, the logarithm of their number less one, rounded up."""
    most = math.ceil(math.log(max(2, len(unlearned) - 1)))
    steps = np.floor(epsilons(unlearned, retrained) / 0.5)
    points = np.where(steps < 2 * most, 0.5**steps, 0.0)
    return float(points.mean())


def influence_erasure(before: Floats, after: Floats, ideal: Floats, again: Floats) -> float:
    """How much of the forget set's influence on its own losses is gone: 1 where the model is as
    near to the ideal as another retraining is, 0 where it is as far as the model before; more than
    1 or less than 0 are possible. Each: the losses of the images to forget, (images,); again: of
    the other retraining. Not a number where the model before is as near as that."""
    unlearned, unchanged, luck = (
        float(np.abs(losses - ideal).mean(dtype=np.float64)) for losses in (after, before, again)
    )
    if unchanged <= luck:
        return math.nan
    return 1 - (unlearned - luck) / (unchanged - luck)
