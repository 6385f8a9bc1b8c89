"""Several runs on one forget set: which lies nearest to the ideal, question by question. Runs that
differ in nothing but the seed are one, with a dot each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from core.metrics.differences import difference
from core.metrics.measures import Evaluation
from core.metrics.metric import Signal as Kind
from core.metrics.seeds import mean_evaluation
from core.runs.run import Run
from core.runs.verdicts import spread_of
from core.verdict import Signal, Verdict, judge
from ui.wording import strip, verdicts
from ui.wording.numbers import listed
from ui.wording.strip import Row

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Entrant:
    """One row of the comparison. runs: of one plan with different seeds, at least one, all with a
    final measurement. name: with what tells it from the others."""

    name: str
    runs: tuple[Run, ...]

    @cached_property
    def after(self) -> Evaluation:
        """The means over the seeds."""
        return mean_evaluation([run.after for run in self.runs if run.after is not None])

    @cached_property
    def verdict(self) -> Verdict | None:
        """Of the means."""
        first = self.runs[0]
        return judge(first.before, self.after, first.retrained, spread_of(first.plan))


def entrants(runs: Sequence[Run], named: Callable[[Sequence[Run]], list[str]]) -> list[Entrant]:
    """In the order of the runs. named: gives runs of different plans their names."""
    alike: dict[Any, list[Run]] = {}
    for run in runs:
        plan = replace(run.plan, settings={}, seed=0)
        alike.setdefault((repr(plan), repr(sorted(run.settings.items()))), []).append(run)
    groups = list(alike.values())
    firsts = [replace(group[0], plan=replace(group[0].plan, seed=0)) for group in groups]
    return [
        Entrant(name + f", {len(group)} seeds" * (len(group) > 1), tuple(group))
        for name, group in zip(named(firsts), groups, strict=True)
    ]


@dataclass(frozen=True)
class Question:
    """title: of the question. rows: an entrant each, by its letter. nearest: the letter of the one
    whose number lies nearest to the ideal, "" where the photos cannot tell it from the next."""

    title: str
    rows: Mapping[str, Row]
    nearest: str


def questions(found: Sequence[Entrant]) -> list[Question]:
    """Every question that was asked of more than one, or of the only one."""
    judged = [entrant.verdict for entrant in found]
    made = []
    for kind in strip.ASKED:
        name_of_signal = _asked_of_all(judged, kind)
        asked: dict[str, tuple[Entrant, Signal, Row]] = {}
        title = ""
        for letter, entrant, verdict in zip(LETTERS, found, judged, strict=False):
            signal = verdict.signal(name_of_signal) if verdict else None
            if signal is not None:
                row = strip.row(signal, entrant.runs[0].plan.request)
                title = f"{row.label} ({row.term})"
                row = replace(row, label=f"{letter}: {entrant.name}", term="")
                asked[letter] = entrant, signal, replace(row, seeds=_seeds(entrant, signal.name))
        if len(asked) > 1 or (asked and len(found) == 1):
            rows = {letter: row for letter, (_, _, row) in asked.items()}
            made.append(Question(title, rows, _nearest(asked)))
    return made


def _seeds(entrant: Entrant, name: str) -> tuple[float, ...]:
    """The number of each seed, where there are several."""
    if len(entrant.runs) < 2:
        return ()
    return tuple(run.after.value(name) for run in entrant.runs if run.after is not None)


def _asked_of_all(judged: Sequence[Verdict | None], kind: Kind) -> str:
    """The signal of a kind that is shown of all, so that they can be compared: the one that lies
    furthest from the ideal in any of them."""
    loudest = [signal for v in judged if v and (signal := strip.loudest(v, kind))]
    worst = max(loudest, key=lambda s: abs(s.difference.value) / s.margin, default=None)
    return worst.name if worst else ""


def _nearest(asked: Mapping[str, tuple[Entrant, Signal, Row]]) -> str:
    """The letter of the nearest; "" where the difference of its number from that of the next has an
    interval that holds 0, or there is no next."""
    order = sorted(asked, key=lambda letter: abs(asked[letter][1].difference.value))
    if len(order) < 2:
        return ""
    (first, one, _), (second, other, _) = (asked[letter] for letter in order[:2])
    measures = first.after[one.name], second.after[other.name]
    if one.name != other.name or measures[0] is None or measures[1] is None:
        return ""
    apart, _ = difference(measures[0], measures[1])
    return "" if apart.low <= 0 <= apart.high else order[0]


def takeaway(found: Sequence[Question]) -> str:
    """Who is nearest on how many questions; of a single one how far its seeds lie apart; "" where
    nothing was asked."""
    if not found:
        return ""
    if all(len(question.rows) == 1 for question in found):
        return _spread(found)
    parts = []
    for letter in sorted({question.nearest for question in found if question.nearest}):
        won = [_short(q) for q in found if q.nearest == letter]
        parts.append(f"{letter} on {len(won)} of {len(found)} ({listed(won)})")
    unknown = sum(not question.nearest for question in found)
    if not parts:
        return (
            f"On none of {len(found)} questions can the photos tell which is nearest to the ideal."
        )
    text = f"Nearest to the ideal: {listed(parts)}"
    if unknown:
        text += f"; on {unknown} the photos cannot tell"
    return f"{text}."


def _short(question: Question) -> str:
    return question.title.split(" (")[0].lower()


def _spread(found: Sequence[Question]) -> str:
    """How far the seeds of one plan lie apart, on the question where that is most."""
    widths = {
        _short(q): max(row.seeds) - min(row.seeds)
        for q in found
        for row in q.rows.values()
        if row.seeds
    }
    if not widths:
        return ""
    most = max(widths, key=widths.__getitem__)
    return (
        "The same plan with other seeds: they lie furthest apart on "
        f"“{most}”, {100 * widths[most]:.1f} points."
    )


def headlines(entrant: Entrant) -> str:
    """The verdict of a run, or of each seed where they are not the same."""
    if len(entrant.runs) == 1:
        return verdicts.headline(entrant.runs[0])
    said = {run.plan.seed: verdicts.stamp(run)[0] for run in entrant.runs}
    words = set(said.values())
    if len(words) == 1:
        return f"Every seed: {words.pop().lower()}. {verdicts.headline(entrant.runs[0])}"
    return "; ".join(f"seed {seed}: {word.lower()}" for seed, word in said.items()) + "."
