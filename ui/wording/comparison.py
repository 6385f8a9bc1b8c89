"""Several runs on one forget set: which lies nearest to the ideal, question by question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from core.metrics.differences import difference
from core.metrics.metric import Signal as Kind
from core.runs.run import Run
from core.runs.verdicts import verdict_of
from core.verdict import Signal, Verdict
from ui.wording import strip
from ui.wording.numbers import listed
from ui.wording.strip import Row

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Question:
    """title: of the question. rows: a run each, by its letter. nearest: the letter of the run whose
    number lies nearest to the ideal, "" where the photos cannot tell it from the next."""

    title: str
    rows: Mapping[str, Row]
    nearest: str


def questions(runs: Sequence[Run], names: Sequence[str]) -> list[Question]:
    """Every question that more than one of the runs was asked. names: of the runs."""
    verdicts = [verdict_of(run) for run in runs]
    found = []
    for kind in strip.ASKED:
        name_of_signal = _asked_of_all(verdicts, kind)
        asked: dict[str, tuple[Run, Signal, Row]] = {}
        title = ""
        for letter, run, name, verdict in zip(LETTERS, runs, names, verdicts, strict=False):
            signal = verdict.signal(name_of_signal) if verdict else None
            if signal is not None:
                row = strip.row(signal, run.plan.request)
                title = f"{row.label} ({row.term})"
                asked[letter] = run, signal, replace(row, label=f"{letter}: {name}", term="")
        if len(asked) > 1:
            rows = {letter: row for letter, (_, _, row) in asked.items()}
            found.append(Question(title, rows, _nearest(asked)))
    return found


def _asked_of_all(verdicts: Sequence[Verdict | None], kind: Kind) -> str:
    """The signal of a kind that is shown of all runs, so that they can be compared: the one that
    lies furthest from the ideal in any of them."""
    loudest = [signal for v in verdicts if v and (signal := strip.loudest(v, kind))]
    worst = max(loudest, key=lambda s: abs(s.difference.value) / s.margin, default=None)
    return worst.name if worst else ""


def _nearest(asked: Mapping[str, tuple[Run, Signal, Row]]) -> str:
    """The letter of the nearest run; "" where the difference of its number from that of the next
    has an interval that holds 0."""
    order = sorted(asked, key=lambda letter: abs(asked[letter][1].difference.value))
    (first, one, _), (second, other, _) = (asked[letter] for letter in order[:2])
    if first.after is None or second.after is None or one.name != other.name:
        return ""
    measures = first.after[one.name], second.after[other.name]
    if measures[0] is None or measures[1] is None:
        return ""
    apart, _ = difference(measures[0], measures[1])
    return "" if apart.low <= 0 <= apart.high else order[0]


def takeaway(found: Sequence[Question]) -> str:
    """Who is nearest on how many questions; "" where nothing was asked of two."""
    if not found:
        return ""
    parts = []
    for letter in sorted({question.nearest for question in found if question.nearest}):
        won = [q.title.split(" (")[0].lower() for q in found if q.nearest == letter]
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
