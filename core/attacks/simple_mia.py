"""Simple membership inference: can a loss alone tell what a model was trained on?

A logistic regression guesses from one number, an image's cross-entropy loss, whether the image was
a training image. Its cross-validated accuracy is 0.5 where the losses of both sides look alike, and
1.0 where each image gives itself away. `simple_mia` is the function of that name in the starting
kit of the NeurIPS 2023 machine unlearning challenge; `attack` applies it to a forget set and a test
set of any sizes and adds an interval and a direction. scikit-learn is imported in the functions: a
screen that shows what was measured needs the attack's name alone.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.attacks.attack import Attack
from core.attacks.logistic import Floats, fit
from core.metrics.measures import AttackMeasure, wilson

SMALLEST = 10  # images a side: below that, a tenth for testing is less than one image of each side
LARGEST_LOSS = 1e4  # losses of a diverged model are clamped to this
SPLITS = 10
REPLICATES = 1000
GROUPS = 512


def simple_mia(
    sample_loss: ArrayLike, members: ArrayLike, n_splits: int = 10, random_state: int = 0
) -> Floats:
    """The attack's accuracy on each of `n_splits` random splits (nine tenths fit, a tenth tests).

    sample_loss: (n, 1), one loss an image, or (n, features). members: (n,), 1 for a training image
    and 0 for one that was never trained on. Returns accuracies (n_splits,), 0 to 1.
    Raises ValueError unless `members` holds both 0 and 1 and nothing else.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedShuffleSplit, cross_val_score

    if not np.array_equal(np.unique(members), [0, 1]):
        raise ValueError("members should only have 0 and 1s")
    splits = StratifiedShuffleSplit(n_splits=n_splits, random_state=random_state)
    scores: Floats = cross_val_score(
        LogisticRegression(), sample_loss, members, cv=splits, scoring="accuracy"
    )
    return scores


def attack(
    forget_losses: ArrayLike, test_losses: ArrayLike, seed: int = 0, subsamples: int = 1
) -> AttackMeasure | None:
    """Simple MIA on forget images (members) against test images (non-members).

    forget_losses, test_losses: (n,) each, in nats, in a fixed order; not-a-number and what is above
    10,000 count as 10,000. The larger side is cut to the size of the smaller by a random choice
    drawn from `seed`; with `subsamples` > 1 the accuracy is the mean over that many such choices
    (seeds seed, seed + 1, ...). Best is the value of a retrained model, not the lowest.

    The 95 % interval bootstraps images: see `_bootstrap`. None where a side has fewer than 10
    images, which is too few to split.
    """
    forget, test = _clamp(forget_losses), _clamp(test_losses)
    n = min(len(forget), len(test))
    value = accuracy(forget, test, seed, subsamples)
    if value is None:
        return None
    rounds = _rounds(forget, test, subsamples)
    deviations, slope = _bootstrap(forget, test, n, rounds, seed)
    low, high = value + np.quantile(deviations, [0.025, 0.975])
    # Where (nearly) every image is told apart there is no error to draw, and a bootstrap sees no
    # uncertainty: Wilson's interval is the floor.
    floor = wilson(value * 2 * n, 2 * n)
    low, high = max(0.0, min(float(low), floor.low)), min(1.0, max(float(high), floor.high))
    direction = "none" if low <= 0.5 else "forget lower" if slope < 0 else "forget higher"
    return AttackMeasure(value, low, high, n, direction)


SIMPLE = Attack(
    "mia",
    "membership inference accuracy",
    "A logistic regression sees an image's loss and guesses whether it is one of those to forget; "
    "a coin flip is right half of the time.",
    lambda forget, unseen, rounds: attack(forget.losses, unseen.losses, subsamples=rounds),
)


def accuracy(
    forget_losses: ArrayLike, test_losses: ArrayLike, seed: int = 0, subsamples: int = 1
) -> float | None:
    """The accuracy alone, as `attack` has it, without an interval: quick enough for a live view."""
    from sklearn.exceptions import ConvergenceWarning

    forget, test = _clamp(forget_losses), _clamp(test_losses)
    n = min(len(forget), len(test))
    if n < SMALLEST:
        return None
    members = np.repeat([0, 1], n)
    accuracies = []
    for round_seed in range(seed, seed + _rounds(forget, test, subsamples)):
        picked = (losses[_choose(len(losses), n, round_seed)] for losses in (test, forget))
        sample = np.concatenate([*picked])
        with warnings.catch_warnings():
            # A diverged model's losses are scaled too badly for a hundred steps; the accuracy of
            # the fit that it ends with is still the measurement.
            warnings.simplefilter("ignore", ConvergenceWarning)
            accuracies.append(simple_mia(sample[:, None], members, SPLITS, round_seed).mean())
    return float(np.mean(accuracies))


def hits(
    forget_losses: ArrayLike, test_losses: ArrayLike, seed: int = 0, subsamples: int = 1
) -> tuple[Floats, Floats] | None:
    """Image by image, what `accuracy` is made of: float (forget images,) and (test images,), each
    how often the attack's tests judged the image rightly, in units of how often they judged an
    image on average; 0 for one that no test met. The mean of the two means is `accuracy`. None
    below 10 images a side."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedShuffleSplit

    forget, test = _clamp(forget_losses), _clamp(test_losses)
    n = min(len(forget), len(test))
    if n < SMALLEST:
        return None
    members = np.repeat([0, 1], n)
    sizes = len(test), len(forget)
    right, judged = np.zeros(sum(sizes)), 0
    pooled = np.concatenate([test, forget])
    for round_seed in range(seed, seed + _rounds(forget, test, subsamples)):
        picked = [_choose(size, n, round_seed) for size in sizes]
        images = np.concatenate([picked[0], picked[1] + len(test)])
        sample = pooled[images][:, None]
        splits = StratifiedShuffleSplit(n_splits=SPLITS, random_state=round_seed)
        for fitted_on, judged_on in splits.split(sample, members):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # as in `accuracy`
                fitted = LogisticRegression().fit(sample[fitted_on], members[fitted_on])
            right[images[judged_on]] += fitted.predict(sample[judged_on]) == members[judged_on]
            judged += len(judged_on)
    right *= 2 / judged
    return right[len(test) :] * len(forget), right[: len(test)] * len(test)


def _rounds(forget: NDArray[Any], test: NDArray[Any], subsamples: int) -> int:
    return subsamples if len(forget) != len(test) else 1


def _clamp(losses: ArrayLike) -> NDArray[Any]:
    clamped: NDArray[Any] = np.nan_to_num(np.asarray(losses).reshape(-1), nan=LARGEST_LOSS)
    return clamped.clip(-LARGEST_LOSS, LARGEST_LOSS)


def _choose(images: int, n: int, seed: int) -> NDArray[Any]:
    """Which `n` of so many images a round looks at."""
    if images == n:
        return np.arange(n)
    return np.random.default_rng(seed).permutation(images)[:n]


def _bootstrap(
    forget: NDArray[Any], test: NDArray[Any], n: int, rounds: int, seed: int
) -> tuple[Floats, float]:
    """How far the accuracy strays when the images are drawn anew: deviations (REPLICATES,).

    Each replicate draws both sides with replacement, refits the regression, and judges it on a
    second such draw as `attack` does: `rounds` subsamples of `n` a side, in each ten random tests
    of a tenth. (The mean over ten overlapping tests is noisier than one test on all images, by a
    factor of 1.4, and an interval has to cover that.) Also returns the slope of the fit to all
    images: negative where low losses speak for membership.

    For speed the images stand in at most GROUPS groups of similar loss, which keeps the draws
    exact and moves a threshold by less than a group.
    """
    draw = np.random.default_rng(seed)
    centres, counts = _group(forget, test)
    weights = 0.9 * n / counts.sum(axis=1)  # the fits see nine tenths of n images a side
    slope, intercept = fit(centres, counts[:, None] * weights[:, None, None])

    sizes = counts.sum(axis=1)
    shares = counts / sizes[:, None]
    fitted_on, judged_on = (
        np.stack([draw.multinomial(m, p, REPLICATES) for m, p in zip(sizes, shares, strict=True)])
        for _ in range(2)
    )
    slopes, intercepts = fit(
        centres, fitted_on * weights[:, None, None], float(slope[0]), float(intercept[0])
    )
    called_member = slopes[:, None] * centres + intercepts[:, None] > 0
    tenth = max(1, round(n / 10))
    accuracy = np.zeros(REPLICATES)
    for side, right in enumerate((called_member, ~called_member)):
        hits = (judged_on[side] * right).sum(axis=1)[:, None]
        chosen = draw.hypergeometric(hits, sizes[side] - hits, n, (REPLICATES, rounds))
        for _ in range(SPLITS):
            accuracy += draw.hypergeometric(chosen, n - chosen, tenth).mean(axis=1) / tenth
    accuracy /= 2 * SPLITS
    return accuracy - accuracy.mean(), float(slope[0])


def _group(forget: NDArray[Any], test: NDArray[Any]) -> tuple[Floats, NDArray[np.int64]]:
    """Mean loss of each group (groups,), and how many images of each side it has (2, groups)."""
    pooled = np.concatenate([forget, test]).astype(np.float64)
    edges = np.unique(pooled)
    if len(edges) > GROUPS:
        edges = np.unique(np.quantile(pooled, np.linspace(0, 1, GROUPS + 1)[:-1], method="lower"))
    group = np.searchsorted(edges, pooled, side="right") - 1
    size = np.bincount(group, minlength=len(edges))
    centres = np.bincount(group, pooled, len(edges)) / np.maximum(size, 1)
    first = np.bincount(group[: len(forget)], minlength=len(edges))
    return centres, np.stack([first, size - first])
