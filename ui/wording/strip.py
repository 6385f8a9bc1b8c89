"""The forgetting strip in words: its questions, a row each, and what they add up to.

A row is a signal of a verdict, placed between what is still there (right) and what was forgotten
too much (left), with the ideal in the middle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.data.requests import ForgetRequest
from core.metrics.metric import Signal as Kind
from core.runs.run import Run
from core.runs.verdicts import verdict_of
from core.verdict import Place, Signal, Verdict
from ui.wording import terms
from ui.wording.numbers import listed, percent

LEAST_HALF = 0.10
BANDS = 5
"""Half a row is at least ten points and five bands wide, so that noise never fills it."""
ASKED: tuple[Kind, ...] = ("outputs", "answers", "inside", "damage")
"""The questions, in the order of the rows: what a spy makes of it comes first."""
BAND = "shaded: as near as two retrainings come to each other, or nearer than matters"
LEGEND = f"○ before · ◆ now · {BAND}"
SEEDS_LEGEND = f"○ before · ◆ now, the mean of the seeds · • one seed · {BAND}"
LIVE_LEGEND = f"○ before · ◇ now, estimated from a sample · {BAND}"


@dataclass(frozen=True)
class Row:
    """One question. before, now, ideal: 0 to 1, or differences of such where `signed`; now None
    where it is still to be asked. band: up to which a difference from the ideal counts as none.
    place: of now, as the verdict has it, "cannot tell" where it is not known. waits: what is said
    where now is still to come. damage: whether it is
    of what was to be kept. turned: whether more is known below the ideal than above it. estimating:
    from a sample, while a method runs. seeds: where now is a mean over several, the number of each.
    """

    kind: Kind
    label: str
    term: str
    before: float | None
    now: float | None
    ideal: float
    band: float
    place: Place
    damage: bool = False
    signed: bool = False
    turned: bool = False
    estimating: bool = False
    waits: str = "asked after the last step"
    seeds: tuple[float, ...] = ()

    @property
    def half(self) -> float:
        """What half the width of the row stands for."""
        away = [abs(x - self.ideal) for x in (self.before, self.now, *self.seeds) if x is not None]
        return max([LEAST_HALF, BANDS * self.band, *away])

    def at(self, value: float, half: float | None = None) -> float:
        """Where a value stands, from -1 (forgotten too much) over 0 (the ideal) to 1."""
        position = (value - self.ideal) / (half or self.half)
        return -position if self.turned else position

    @property
    def numbers(self) -> str:
        """ "51.2 % · ideal 50.3", or why there is no such number yet."""
        if self.now is None:
            return self.waits
        now, ideal = (f"{100 * x:{'+' if self.signed else ''}.1f}" for x in (self.now, self.ideal))
        unit = "points" if self.signed else "%"
        said = f"{now} {unit} · ideal {ideal}"
        if self.estimating:
            said = f"estimating: {said}"
        if self.seeds:
            said += f" · {len(self.seeds)} seeds"
        return f"{said} · cannot tell" if self.place == "cannot tell" else said

    @property
    def reading(self) -> str:
        """Where it stands, for a table and the tooltip."""
        if self.now is None:
            return "not asked yet"
        lost = "worse than the ideal" if self.damage else "forgotten too much"
        there = "better than the ideal" if self.damage else "still there"
        if self.place in ("at the ideal", "cannot tell"):
            return self.place
        return there if self.at(self.now) > 0 else lost


def rows(verdict: Verdict, request: ForgetRequest, estimating: bool = False) -> list[Row]:
    """A row a question that was asked; of several signals of a kind the one furthest from the
    ideal."""
    found = [loudest(verdict, kind) for kind in ASKED]
    return [row(signal, request, estimating) for signal in found if signal is not None]


def row(signal: Signal, request: ForgetRequest, estimating: bool = False) -> Row:
    """The row of a signal."""
    damage = signal.kind == "damage"
    return Row(
        kind=signal.kind,
        label=_label(signal, request),
        term=terms.term(signal.name),
        before=signal.before,
        now=signal.after,
        ideal=signal.ideal,
        band=signal.margin,
        place=signal.place,
        damage=damage,
        signed=signal.kind == "inside",
        turned=not damage and signal.telling and signal.before < signal.ideal,
        estimating=estimating,
    )


def not_asked(waits: str = Row.waits) -> Row:
    """The row of the look inside before anybody has looked."""
    term = terms.term("re_head")
    return Row("inside", _LABELS["inside"], term, None, None, 0.0, 0.0, "cannot tell", waits=waits)


def of_run(run: Run) -> list[Row]:
    """The rows of a finished run; none where no ideal is known."""
    found = verdict_of(run)
    return rows(found, run.plan.request) if found else []


def loudest(verdict: Verdict, kind: Kind) -> Signal | None:
    """Of the signals of a kind the one that lies furthest from the ideal; of damage the usefulness
    on new images, unless only what was kept is damaged."""
    of_kind = [signal for signal in verdict.signals if signal.kind == kind]
    if kind == "damage" and not (
        verdict.damaged and "retained_test_accuracy" not in verdict.damaged
    ):
        of_kind = [s for s in of_kind if s.name == "retained_test_accuracy"] or of_kind
    return max(of_kind, key=lambda s: abs(s.difference.value) / s.margin, default=None)


def spy(request: ForgetRequest) -> str:
    """What the fair spy compares the forgotten photos with, in two or three words."""
    if not request.class_matched:
        return "Spy"
    one = request.kind == "classes" and len(request.classes) == 1
    return f"Spy, same {'class' if one else 'classes'}"


def says(request: ForgetRequest) -> str:
    """What it answers on the forgotten photos, as a question."""
    if request.kind == "classes" and len(request.classes) == 1:
        return f"Says “{request.classes[0]}”"
    return "Right about the forgotten photos"


def _label(signal: Signal, request: ForgetRequest) -> str:
    if signal.name == "retain_accuracy":
        return "Right about the photos to keep"
    return {"outputs": spy(request), "answers": says(request), **_LABELS}[signal.kind]


_LABELS = {"inside": "Recognised inside", "damage": "Useful on the rest"}


def takeaway(found: Sequence[Row]) -> str:
    """What the rows show, from their numbers."""
    asked = [r for r in found if r.now is not None]
    if not asked:
        return "Nothing has been asked yet."
    forget = [r for r in asked if not r.damage]
    parts = []
    for reading, said in (("still there", "Still there"), ("forgotten too much", "Past the ideal")):
        if some := [r for r in forget if r.reading == reading]:
            parts.append(f"**{said}:** {listed([_away(r) for r in some])}.")
    for place, said in (("at the ideal", "At the ideal"), ("cannot tell", "Nobody can tell")):
        if some := [r for r in forget if r.place == place]:
            parts.append(f"**{said}:** {listed([_noun(r) for r in some])}.")
    parts += [_cost(r) for r in asked if r.damage]
    return " ".join(["So far, from a sample."] * any(r.estimating for r in asked) + parts)


def _cost(found: Row) -> str:
    assert found.now is not None
    away = f"{100 * abs(found.now - found.ideal):.1f} points"
    if found.place == "at the ideal":
        return "**The price:** none that shows on the rest."
    if found.place == "cannot tell":
        return "**The price:** nobody can tell what it costs on the rest."
    if found.now < found.ideal:
        return f"**The price:** {away} less often right on the rest than the ideal."
    return f"On the rest it is right {away} more often than the ideal."


def _away(found: Row) -> str:
    assert found.now is not None
    return f"{_noun(found)} ({100 * abs(found.now - found.ideal):.1f} points from the ideal)"


def _noun(found: Row) -> str:
    return {
        "outputs": "what the spy sees",
        "answers": "what it says",
        "inside": "what it recognises inside",
        "damage": "the rest",
    }[found.kind]


def table(found: Sequence[Row]) -> dict[str, list[Any]]:
    """The rows as a table, its numbers as they are."""

    def said(row: Row, value: float | None) -> str:
        if value is None or not math.isfinite(value):
            return "not asked yet"
        return f"{100 * value:+.1f} points" if row.signed else percent(value)

    return {
        "question": [r.label for r in found],
        "before": [said(r, r.before) for r in found],
        "now": [said(r, r.now) for r in found],
        "ideal": [said(r, r.ideal) for r in found],
        "no difference up to": [f"{100 * r.band:.1f} points" for r in found],
        "reading": [r.reading for r in found],
        "measured as": [r.term for r in found],
    }
