"""RMIA and offline LiRA: the attacks that know how hard each image is.

Both compare a model with one that never saw the image: of an image to forget the model of its own
fold, of a test image that of a fold drawn for it. (An average over all folds would be surer of test
images than of training images, nine of ten models having seen these: a perfectly retrained model
would look guilty.) Both models are first brought to the temperature at which they are calibrated on
test images of the classes that are kept; without that, dividing the logits by 20 would please
either attack.
"""

from __future__ import annotations

import numpy as np

from core.attacks.attack import ThresholdAttack
from core.attacks.curve import Floats
from core.attacks.probabilities import calibration, log_probabilities
from core.metrics.evidence import Evidence
from core.metrics.metric import LOGITS

NEEDS = LOGITS | {"references"}
OFFLINE = 0.33
"""The a of RMIA's offline form on CIFAR-10: p(x) = ((1 + a) p_out(x) + 1 - a) / 2."""
GAMMA = 2.0
"""By so much an image has to be likelier than another."""


Pair = tuple[Floats, Floats]


def log_likelihoods(evidence: Evidence) -> tuple[Pair, Pair]:
    """log p(label), calibrated, of the images to forget and of the unseen ones, (n,) each: by the
    model itself, and by the one that never saw them."""
    return evidence.once("log-likelihoods", lambda: _log_likelihoods(evidence))


def _log_likelihoods(evidence: Evidence) -> tuple[Pair, Pair]:
    found = []
    for by_reference in (False, True):
        forget, unseen, kept = (
            seen.by_reference if by_reference else seen
            for seen in (evidence.forget, evidence.fair_unseen, evidence.kept_unseen)
        )
        scale = calibration(kept.logits, kept.labels)
        of_labels = [
            log_probabilities(scale * seen.logits)[np.arange(len(seen.labels)), seen.labels]
            for seen in (forget, unseen)
        ]
        found.append((of_labels[0], of_labels[1]))
    return found[0], found[1]


def rmia(evidence: Evidence) -> tuple[Floats, Floats]:
    """The share of unseen images z for which (p(x | model) / p(x)) / (p(z | model) / p(z)) is at
    least `GAMMA`, with p(x) from a model that never saw x (Zarifzadeh et al. 2024, arXiv
    2312.03262, the offline form with one reference model)."""
    mine, reference = log_likelihoods(evidence)
    ratios = [
        own - np.log(((1 + OFFLINE) * np.exp(out) + 1 - OFFLINE) / 2)
        for own, out in zip(mine, reference, strict=True)
    ]
    population = np.sort(ratios[1])
    forget, unseen = (
        np.searchsorted(population, ratio - np.log(GAMMA), side="right") / len(population)
        for ratio in ratios
    )
    # Where many lie above or below all others, the ratio itself goes on ordering them.
    return forget + 1e-6 * np.tanh(ratios[0]), unseen + 1e-6 * np.tanh(ratios[1])


def lira(evidence: Evidence) -> tuple[Floats, Floats] | None:
    """logit p(x | model) - logit p(x | out), in standard deviations over the unseen images: with
    one reference model the offline form's Gaussian has that deviation for every image, and its
    order is the difference's (Carlini et al. 2022, arXiv 2112.03570). None of the references
    themselves, which differ from none."""
    mine, reference = log_likelihoods(evidence)
    if all(np.array_equal(own, out) for own, out in zip(mine, reference, strict=True)):
        return None
    differences = [_logit(own) - _logit(out) for own, out in zip(mine, reference, strict=True)]
    deviation = float(differences[1].std()) or 1.0
    return differences[0] / deviation, differences[1] / deviation


def _logit(logged: Floats) -> Floats:
    """log p - log(1 - p) from log p."""
    found: Floats = logged - np.log(-np.expm1(np.minimum(logged, -1e-12)))
    return found


RMIA = ThresholdAttack(
    "rmia",
    "RMIA",
    "Asks how likely the image is to this network, beside one that never saw it and beside other "
    "new images.",
    rmia,
    NEEDS,
    "outputs",
)
LIRA = ThresholdAttack(
    "lira",
    "offline LiRA",
    "Asks how much surer this network is of the image than one that never saw it.",
    lira,
    NEEDS,
)
