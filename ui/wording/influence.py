"""Sentences on the influence of training photos on one test photo, made from the numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from ui.wording.numbers import percent

QUESTION = "Which photos taught it this?"


def share_of_loss(change: float) -> str:
    """A change as a share of the photo's loss: "+1.2 %", with two digits that count."""
    number = 100 * change
    if number and abs(number) < 0.01:
        return f"{'+' if number > 0 else '-'}under 0.01 %"
    digits = 0 if not number else max(0, 1 - math.floor(math.log10(abs(number))))
    return f"{number:+.{min(digits, 3)}f} %"


def answer(truth: str, said: str, head: NDArray[np.float64] | None, classes: Sequence[str]) -> str:
    """What the photo is, what the network says, and what its fitted last layer says.

    head: the probabilities of the classes that the fitted last layer gives, None where not known.
    """
    network = f"The network says **{said}**" + (
        ", which is right." if said == truth else f": wrong, it is **{truth}**."
    )
    if head is None:
        return network
    best = classes[int(head.argmax())]
    own = _fine(float(head[list(classes).index(truth)]))
    fitted = f"Its last layer, fitted to the optimum, gives *{truth}* {own}"
    if best != truth:
        fitted += f" and *{best}* {_fine(float(head.max()))}"
    return f"{network} {fitted}."


def who(helped: Sequence[str], misled: Sequence[str], truth: str, said: str) -> str:
    """What the strongest on each side are photos of, by class."""
    first = _mostly(helped)
    text = f"Of the {len(helped)} that helped most, {first}"
    text += f"; of the {len(misled)} that misled it most, {_mostly(misled)}."
    half = len(misled) / 2
    if said != truth and misled.count(said) > half:
        text += f" It learned from photos of *{said}* to take this one for another of them."
    elif misled.count(truth) > half:
        text += f" Those that mislead it are called *{truth}* too, and look otherwise."
    return text


def _mostly(names: Sequence[str]) -> str:
    if not names:
        return "there are none"
    name, count = Counter(names).most_common(1)[0]
    if 2 * count <= len(names):
        return f"no more than {count} are of one class"
    return f"{'all' if count == len(names) else count} are of *{name}*"


def concentrated(influence: NDArray[np.float64]) -> str:
    """How few photos make half of what moves this answer, both signs together."""
    sizes = np.sort(np.abs(influence))[::-1]
    whole = float(sizes.sum())
    if not whole:
        return ""
    few = int(np.searchsorted(np.cumsum(sizes), whole / 2)) + 1
    return (
        f"Half of all influence on this answer comes from {few:,} of the {len(sizes):,} training "
        f"photos ({percent(few / len(sizes))})."
    )


def forgotten(
    predicted: float,
    actual: float,
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    label: int,
    classes: Sequence[str],
) -> str:
    """What forgetting the chosen photos did, beside what was predicted. predicted, actual: changes,
    as shares of the loss; before, after: probabilities of the classes."""
    truth = classes[label]
    text = (
        f"Predicted: the loss on this photo changes by {share_of_loss(predicted)}. "
        f"Refitted without them, it changes by **{share_of_loss(actual)}**. "
        f"*{truth}* goes from {_fine(before[label])} to {_fine(after[label])}"
    )
    old, new = int(before.argmax()), int(after.argmax())
    if old != new:
        return f"{text}, and the answer from *{classes[old]}* to *{classes[new]}*."
    return f"{text}; the answer stays *{classes[new]}*."


def _fine(probability: float) -> str:
    """A probability with the digits that a small change needs: 34.10 %, 0.0031 %."""
    shown = 100 * probability
    return f"{shown:.2f} %" if shown >= 0.1 else f"{shown:.2g} %"


def turned(
    count: int,
    right: bool,
    after: NDArray[np.float64],
    total: int,
    label: int,
    names: Sequence[str],
) -> str:
    """How many of the photos that misled it most had to go until the answer was right. after: the
    probabilities then; total: of training photos."""
    some = f"the {count:,} that misled it most" if count != 1 else "the one that misled it most"
    if right:
        return (
            f"Without {some} ({percent(count / total)} of all) the answer is *{names[label]}*, "
            f"with {percent(float(after[label]))}."
        )
    still = f"the answer stays *{names[int(after.argmax())]}*"
    if not count:
        return f"No training photo misled it, so {still}."
    return (
        f"Even without {some} {still}. No few photos are to blame for it: very many taught it "
        "that, or the layers before the last, which stay as they are here."
    )


def agreement(correlation: float, slope: float, count: int) -> str:
    """What the points of the scatter say."""
    if not math.isfinite(correlation):
        return "Nothing moved, so there is nothing to compare."
    text = (
        f"Over {count} removals, what was predicted and what happened have a correlation of "
        f"{correlation:.3f}"
    )
    if abs(slope - 1) < 0.1:
        return f"{text}, and the sizes agree: what happened is {slope:.2f} times the prediction."
    size = "more" if slope > 1 else "less"
    return (
        f"{text}: it ranks them well. In size they part: what happened is {slope:.2f} times the "
        f"prediction. A first-order estimate says {'too little' if slope > 1 else 'too much'} "
        f"where few photos carry much, and leaving them out changes {size} than it sees."
    )


def of_whole_network(head: NDArray[np.float64], whole: NDArray[np.float64]) -> str:
    """How far the influence through the last layer and through all weights agree, on the same
    training photos."""
    same = int((np.sign(head) == np.sign(whole)).sum())
    text = f"Of these {len(head)} photos, both say the same of {same}: helped, or misled."
    if np.ptp(head) > 0 and np.ptp(whole) > 0:
        rank = float(spearmanr(head, whole).statistic)
        text += f" Their order has a rank correlation of {rank:.2f}."
    return text
