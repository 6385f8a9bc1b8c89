"""Did it forget? A model is judged against one retrained without the forget set: the ideal.

Each signal is the difference of the unlearned model to the ideal, paired image by image, with its
95 % interval. It counts as none within a margin, the larger of a practical one and twice the
standard deviation between retrainings, and as a difference where its whole interval lies outside
the margin; between the two, and where the interval is wider than the margin, nobody can tell. So
three images of five hundred decide nothing. Which way it lies is read from the model before to the
ideal, never from 50 %.

Two signals are of the forget set: how many of its images are labelled correctly, and how often an
image of it surprises the model less than a test image (the AUC of an attack on the loss, Mann and
Whitney's statistic; Yeom et al. 2018). Two more say what was damaged. Both signals see outputs
only: a network that has silenced an answer and kept its features passes them. numpy only, so that
the front page can judge.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from core.data.requests import ForgetRequest
from core.metrics.differences import (
    Z,
    auc_parts,
    paired_difference,
    unpaired_difference,
    variance_of_mean,
)
from core.metrics.measures import Evaluation, Measure

Word = Literal[
    "not forgotten", "partly forgotten", "forgotten", "forgotten too much", "cannot tell"
]


Place = Literal["at the ideal", "on the way", "beyond", "cannot tell"]


MARGINS: Mapping[str, float] = {
    "forget_accuracy": 0.01,
    "loss_auc": 0.02,
    "retain_accuracy": 0.01,
    "retained_test_accuracy": 0.01,
}
"""Differences too small to matter: a point of accuracy, .02 of an AUC."""


SMALLEST = 10
"""Images on a side: fewer say nothing about how much their mean strays."""


@dataclass(frozen=True)
class Signal:
    """One number of three models, and how far the unlearned one lies from the ideal.

    before, after, ideal: 0 to 1. difference: after - ideal; low and high are its 95 % interval, n
    the images on the smaller side. margin: up to which a difference counts as none. paired: whether
    the two models were compared image by image; the interval is wider where not.
    """

    name: str
    before: float
    after: float
    ideal: float
    difference: Measure
    margin: float
    paired: bool

    @property
    def place(self) -> Place:
        """Where `after` lies on the way from `before` to the ideal."""
        away = self.difference.value
        low, high = self.difference.low, self.difference.high
        if abs(away) <= self.margin and (high - low) / 2 <= self.margin:
            return "at the ideal"
        if low <= self.margin and high >= -self.margin:
            return "cannot tell"
        return "beyond" if away * (self.before - self.ideal) < 0 else "on the way"

    @property
    def telling(self) -> bool:
        """Whether the model before lay further from the ideal than the margin."""
        return abs(self.before - self.ideal) > self.margin

    @property
    def share(self) -> float:
        """Of the way from before to the ideal, 0 to 1; 0 where there was no way to go."""
        if self.before == self.ideal:
            return 0.0
        return float(np.clip((self.before - self.after) / (self.before - self.ideal), 0.0, 1.0))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "name": self.name,
            "before": self.before,
            "after": self.after,
            "ideal": self.ideal,
            "difference": self.difference.to_dict(),
            "margin": self.margin,
            "paired": self.paired,
            "place": self.place,
        }


@dataclass(frozen=True)
class Verdict:
    """What the signals add up to.

    word: of the forget set. share: of the way from before to the ideal, the mean of the signals
    that had a way to go, 0 to 1. betrayed_by: the name of the signal that speaks most against
    forgetting, "" where none does. damaged: the names of the accuracies that lie below the ideal's
    by more than the margin. signals: those of the forget set, then those of damage.
    """

    word: Word
    share: float
    betrayed_by: str
    damaged: tuple[str, ...]
    signals: tuple[Signal, ...]

    def signal(self, name: str) -> Signal | None:
        """The signal of that name, None where it could not be measured."""
        return next((signal for signal in self.signals if signal.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "word": self.word,
            "share": self.share,
            "betrayed_by": self.betrayed_by,
            "damaged": list(self.damaged),
            "signals": [signal.to_dict() for signal in self.signals],
        }


def judge(
    before: Evaluation | None,
    after: Evaluation | None,
    ideal: Evaluation | None,
    request: ForgetRequest,
    spread: Mapping[str, float] | None = None,
) -> Verdict | None:
    """The verdict on an unlearned model; None where one of the three was not measured.

    spread: by signal, the standard deviation between models retrained from different seeds.
    """
    if before is None or after is None or ideal is None:
        return None
    margins = {name: max(m, 2 * (spread or {}).get(name, 0.0)) for name, m in MARGINS.items()}
    forget_signals: list[Signal] = []
    damage_signals: list[Signal] = []
    for name, group in (
        ("forget_accuracy", forget_signals),
        ("retain_accuracy", damage_signals),
        ("retained_test_accuracy", damage_signals),
    ):
        if signal := _accuracy(name, before, after, ideal, margins[name]):
            group.append(signal)
    if attack := _loss_auc(before, after, ideal, request, margins["loss_auc"]):
        forget_signals.append(attack)
    word, share, betrayed_by = decide(forget_signals)
    damaged = tuple(
        s.name
        for s in damage_signals
        if s.difference.value < 0 and s.place not in ("at the ideal", "cannot tell")
    )
    return Verdict(word, share, betrayed_by, damaged, (*forget_signals, *damage_signals))


def decide(signals: list[Signal]) -> tuple[Word, float, str]:
    """The word for the signals of a forget set, the share of the way, and the signal that decides.

    A signal still on the way outweighs one beyond the ideal, and both outweigh one that cannot
    tell. Nearer to before than to the ideal, on average, is not forgotten. Where no signal had a
    way to go, nothing could be seen.
    """
    telling = [signal for signal in signals if signal.telling]
    share = float(np.mean([signal.share for signal in telling])) if telling else 0.0

    def worst(place: Place) -> str:
        candidates = [signal for signal in signals if signal.place == place]
        if not candidates:
            return ""
        return max(candidates, key=lambda s: abs(s.difference.value) / s.margin).name

    if decisive := worst("on the way"):
        return ("not forgotten" if share < 0.5 else "partly forgotten"), share, decisive
    if decisive := worst("beyond"):
        return "forgotten too much", share, decisive
    if decisive := worst("cannot tell"):
        return "cannot tell", share, decisive
    if not telling:
        return "cannot tell", share, ""
    return "forgotten", share, ""


def _accuracy(
    name: str, before: Evaluation, after: Evaluation, ideal: Evaluation, margin: float
) -> Signal | None:
    start, end, goal = (model.value(name) for model in (before, after, ideal))
    unlearned, retrained = after[name], ideal[name]
    if unlearned is None or retrained is None or any(map(math.isnan, (start, end, goal))):
        return None
    field = name.replace("accuracy", "correct")
    hits = getattr(after, field), getattr(ideal, field)
    paired = all(right is not None for right in hits) and len(hits[0]) == len(hits[1])
    difference = paired_difference(*hits) if paired else unpaired_difference(unlearned, retrained)
    return Signal(name, start, end, goal, difference, margin, paired)


def _loss_auc(
    before: Evaluation,
    after: Evaluation,
    ideal: Evaluation,
    request: ForgetRequest,
    margin: float,
) -> Signal | None:
    """The AUC of the fair attack, an attack on the loss against the test images that suit the
    request; paired by DeLong, DeLong and Clarke-Pearson 1988."""
    unseen = "class_matched_losses" if request.class_matched else "test_losses"
    models = [(model.forget_losses, getattr(model, unseen)) for model in (before, after, ideal)]
    if any(not len(side) for model in models for side in model):
        return None
    aucs = [auc_parts(*model) for model in models]
    (_, unlearned), (_, retrained) = aucs[1], aucs[2]
    values = [value for value, _ in aucs]
    paired = all(len(a) == len(b) for a, b in zip(unlearned, retrained, strict=True))
    if min(len(side) for side in (*unlearned, *retrained)) < SMALLEST:
        variance = math.inf
    elif paired:
        variance = sum(variance_of_mean(a - b) for a, b in zip(unlearned, retrained, strict=True))
    else:
        variance = sum(variance_of_mean(side) for side in (*unlearned, *retrained))
    middle, half = values[1] - values[2], Z * math.sqrt(variance)
    n = min(len(side) for side in unlearned)
    difference = Measure(middle, max(-1.0, middle - half), min(1.0, middle + half), n)
    return Signal("loss_auc", values[0], values[1], values[2], difference, margin, paired)
