"""The race: runs of one forget set over the seconds, by the looks taken on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.runs.estimates import evaluation_of
from core.runs.run import Run
from core.verdict import Verdict
from ui.wording import strip
from ui.wording.comparison import LETTERS, Entrant
from ui.wording.numbers import duration, listed

ASKED = ("margin_auc", "forget_accuracy", "retained_test_accuracy")
"""What every look on the way can tell; the fair spy first."""


@dataclass(frozen=True)
class Look:
    """seconds: since the start, measuring not counted. away: from the ideal, in points."""

    seconds: float
    step: int
    away: float


@dataclass(frozen=True)
class Track:
    """The way of one run. looks: in the order of time, the first before the first step."""

    letter: str
    name: str
    looks: tuple[Look, ...]

    def until(self, seconds: float) -> tuple[Look, ...]:
        """What was known at a moment: at least the first look."""
        return tuple(x for x in self.looks if x.seconds <= seconds) or self.looks[:1]

    @property
    def end(self) -> float:
        return self.looks[-1].seconds


@dataclass(frozen=True)
class Race:
    """One question. band: up to how many points from the ideal count as none."""

    question: str
    band: float
    tracks: tuple[Track, ...]

    @property
    def end(self) -> float:
        """Seconds of the slowest."""
        return max(track.end for track in self.tracks)

    @property
    def domain(self) -> tuple[float, float]:
        """Of the points that any of them ever was away."""
        every = [look.away for track in self.tracks for look in track.looks]
        return min(-2 * self.band, *every) - 1, max(2 * self.band, *every) + 1


def races(entrants: Sequence[Entrant]) -> list[Race]:
    """A race a question that all of the runs were asked on the way; of several seeds the first one
    runs. None where there is no ideal, or where two have left no looks."""
    found = []
    judged = [entrant.verdict for entrant in entrants]
    for name in ASKED:
        tracks = []
        for letter, entrant in zip(LETTERS, entrants, strict=False):
            if looks := _looks(entrant.runs[0], name):
                tracks.append(Track(letter, entrant.name, looks))
        if len(tracks) == len(entrants) > 1:
            margin = _margin(judged, name)
            request = entrants[0].runs[0].plan.request
            title = {
                "margin_auc": strip.spy(request),
                "forget_accuracy": strip.says(request),
                "retained_test_accuracy": "Useful on the rest",
            }[name]
            found.append(Race(title, margin, tuple(tracks)))
    return found


def _looks(run: Run, name: str) -> tuple[Look, ...]:
    ideal = run.retrained[name] if run.retrained is not None else None
    if ideal is None:
        return ()
    found = []
    for snapshot in run.replay:
        if snapshot.probe is not None:
            measure = evaluation_of(snapshot.probe)[name]
            if measure is not None:
                away = 100 * (measure.value - ideal.value)
                found.append(Look(snapshot.seconds, snapshot.step, away))
    return tuple(sorted(found, key=lambda look: look.seconds)) if len(found) > 1 else ()


def _margin(judged: Sequence[Verdict | None], name: str) -> float:
    signals = [v.signal(name) for v in judged if v is not None]
    return 100 * max((s.margin for s in signals if s is not None), default=0.01)


def moment(race: Race, seconds: float) -> str:
    """Who is nearest at a moment, and who has ended."""
    now = {track.letter: track.until(seconds)[-1] for track in race.tracks}
    order = sorted(now, key=lambda letter: abs(now[letter].away))
    text = f"After {_at(seconds)}: "
    if abs(now[order[0]].away) == abs(now[order[1]].away):
        text += "nobody is ahead."
    else:
        text += f"**{order[0]}** is nearest, {abs(now[order[0]].away):.1f} points from the ideal."
    ended = [track.letter for track in race.tracks if track.end <= seconds]
    if ended:
        text += f" {listed(ended)} {'has' if len(ended) == 1 else 'have'} ended."
    return text


def finish(race: Race) -> str:
    """Who came to the ideal first, and whether it stayed there."""
    arrived = {}
    for track in race.tracks:
        inside = [look.seconds for look in track.looks if abs(look.away) <= race.band]
        if inside:
            arrived[track.letter] = inside[0]
    if not arrived:
        return "None of them comes as near to the ideal as two retrainings come to each other."
    order = sorted(arrived, key=arrived.__getitem__)
    parts = [f"**{letter}** in the look after {_at(arrived[letter])}" for letter in order]
    text = f"At the ideal first: {listed(parts)}."
    left = [
        track.letter
        for track in race.tracks
        if track.letter in arrived and abs(track.looks[-1].away) > race.band
    ]
    if left:
        text += f" {listed(left)} did not stay there."
    return text


def _at(seconds: float) -> str:
    return "0 s" if seconds <= 0 else duration(seconds)


def table(race: Race, seconds: float) -> dict[str, list[Any]]:
    """Where each is at a moment."""
    now = [(track, track.until(seconds)[-1]) for track in race.tracks]
    return {
        "run": [f"{track.letter}: {track.name}" for track, _ in now],
        "last look after (s)": [look.seconds for _, look in now],
        "at step": [look.step for _, look in now],
        "points from the ideal": [look.away for _, look in now],
        "has ended": [track.end <= seconds for track, _ in now],
    }
