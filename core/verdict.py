"""Did it forget? A model is judged against one retrained without the forget set: the ideal.

Which numbers are read says the registry of metrics: each of them that is a signal. Of the forget
set there are three kinds: the answers on it, what spies make of the outputs, and what is still
known inside. A fourth says what was damaged.

Each signal is the difference of the unlearned model to the ideal, paired image by image, with its
95 % interval. It counts as none within a margin, the larger of the metric's own and of what two
retrainings differ by, if the interval is no wider than that; and as a difference where it is larger
than the margin and the interval leaves out zero. Else nobody can tell. So three images of five
hundred decide nothing. Which way it lies is read from the model before to the ideal, never from
50 %; where these two are alike, from the number, for each is higher the more is known. Only who was
asked in all three ways, inside too, has forgotten: a kind that could not be measured leaves the
question open. Nothing here imports torch or scikit-learn, so that the front page can judge.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from core.attacks.curve import SMALLEST
from core.metrics.differences import difference
from core.metrics.measures import Evaluation, Measure
from core.metrics.metric import Signal as Kind
from core.metrics.registry import METRICS

Word = Literal[
    "not forgotten",
    "partly forgotten",
    "only silenced",
    "forgotten",
    "forgotten too much",
    "cannot tell",
]


Place = Literal["at the ideal", "on the way", "beyond", "cannot tell"]


KINDS: tuple[Kind, ...] = tuple(kind for kind in get_args(Kind) if kind)
"""Of signals, in the order in which a verdict has them."""


@dataclass(frozen=True)
class Signal:
    """One number of three models, and how far the unlearned one lies from the ideal.

    kind: "answers", "outputs" or "inside" of the forget set, or "damage".
    before, after, ideal: 0 to 1. difference: after - ideal; low and high are its 95 % interval, n
    the images on the smaller side. margin: up to which a difference counts as none. paired: whether
    the two models were compared image by image; the interval is wider where not.
    """

    name: str
    kind: Kind
    before: float
    after: float
    ideal: float
    difference: Measure
    margin: float
    paired: bool

    @property
    def place(self) -> Place:
        """Where `after` lies on the way from `before` to the ideal."""
        if self.difference.n < SMALLEST:
            return "cannot tell"
        away = self.difference.value
        low, high = self.difference.low, self.difference.high
        if abs(away) <= self.margin:
            return "at the ideal" if (high - low) / 2 <= self.margin else "cannot tell"
        if low <= 0 <= high:
            return "cannot tell"
        if not self.telling:  # no way leads from before to the ideal; a higher number knows more
            return "on the way" if away > 0 else "beyond"
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
            "kind": self.kind,
            "before": self.before,
            "after": self.after,
            "ideal": self.ideal,
            "difference": self.difference.to_dict(),
            "margin": self.margin,
            "paired": self.paired,
            "place": self.place,
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Signal:
        """The inverse of `to_dict`; its place is found anew."""
        known = {name: fields[name] for name in fields if name != "place"}
        return cls(**known | {"difference": Measure.from_dict(fields["difference"])})


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

    @property
    def missing(self) -> tuple[Kind, ...]:
        """The kinds of signals of a forget set of which none could be measured."""
        return missing(self.signals)

    def of_the_ideal(self) -> Verdict:
        """Of a model that is, bit for bit, one that never saw the forget set: it has forgotten it,
        and nothing is too few to say so."""
        return replace(self, word="forgotten", share=1.0, betrayed_by="", damaged=())

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
            "missing": list(self.missing),
            "signals": [signal.to_dict() for signal in self.signals],
        }


def judge(
    before: Evaluation | None,
    after: Evaluation | None,
    ideal: Evaluation | None,
    spread: Mapping[str, float] | None = None,
) -> Verdict | None:
    """The verdict on an unlearned model; None where one of the three was not measured.

    spread: by signal, the standard deviation between models retrained from different seeds.
    """
    if before is None or after is None or ideal is None:
        return None
    models, spread = (before, after, ideal), spread or {}
    signals = []
    for kind in KINDS:
        names = [metric.name for metric in METRICS.values() if metric.signal == kind]
        found = [_signal(n, kind, [model[n] for model in models], spread) for n in names]
        signals += [signal for signal in found if signal]
    return verdict_on(signals)


def verdict_on(signals: Sequence[Signal]) -> Verdict:
    """What signals add up to, those of the forget set before those of damage."""
    word, share, betrayed_by = decide([signal for signal in signals if signal.kind != "damage"])
    if word == "forgotten" and missing(signals):
        word = "cannot tell"
    damaged = tuple(
        signal.name
        for signal in signals
        if signal.kind == "damage"
        and signal.difference.value < 0
        and signal.place not in ("at the ideal", "cannot tell")
    )
    return Verdict(word, share, betrayed_by, damaged, tuple(signals))


def decide(signals: Sequence[Signal]) -> tuple[Word, float, str]:
    """The word for the signals of a forget set, the share of the way, and the signal that decides.

    A signal still on the way outweighs one beyond the ideal, and both outweigh one that cannot
    tell. Where only what is inside is still on the way, and all that can be seen from outside is at
    the ideal, an answer was silenced. Nearer to before than to the ideal, on average over the kinds
    of signals, is not forgotten. Where no signal had a way to go, nothing could be seen.
    """
    telling = [signal for signal in signals if signal.telling]
    share = _share(telling)

    def worst(place: Place) -> str:
        candidates = [signal for signal in signals if signal.place == place]
        if not candidates:
            return ""
        return max(candidates, key=lambda s: abs(s.difference.value) / s.margin).name

    if decisive := worst("on the way"):
        outside = [signal for signal in signals if signal.kind != "inside"]
        if outside and all(signal.place == "at the ideal" for signal in outside):
            return "only silenced", share, decisive
        return ("not forgotten" if share < 0.5 else "partly forgotten"), share, decisive
    if decisive := worst("beyond"):
        return "forgotten too much", share, decisive
    if decisive := worst("cannot tell"):
        return "cannot tell", share, decisive
    if not telling:
        return "cannot tell", share, ""
    return "forgotten", share, ""


def missing(signals: Sequence[Signal]) -> tuple[Kind, ...]:
    """The kinds of a forget set of which there is no signal."""
    known = {signal.kind for signal in signals}
    return tuple(kind for kind in KINDS if kind != "damage" and kind not in known)


def _share(telling: Sequence[Signal]) -> float:
    """Of the way from before to the ideal, 0 to 1: the mean over the kinds of signals, so that
    another spy of a kind does not weigh more."""
    kinds = {signal.kind for signal in telling}
    means = [np.mean([s.share for s in telling if s.kind == kind]) for kind in sorted(kinds)]
    return float(np.mean(means)) if means else 0.0


def _signal(
    name: str, kind: Kind, measures: Sequence[Measure | None], spread: Mapping[str, float]
) -> Signal | None:
    """measures: before, after and of the ideal. None where one of them was not measured."""
    known = [x for x in measures if x is not None and not math.isnan(x.value)]
    if len(known) < len(measures):
        return None
    apart, paired = difference(known[1], known[2])
    margin = max(METRICS[name].margin, 2 * spread.get(name, 0.0))
    start, end, goal = (x.value for x in known)
    return Signal(name, kind, start, end, goal, apart, margin, paired)
