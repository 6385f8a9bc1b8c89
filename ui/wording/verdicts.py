"""The verdict on a finished run in sentences, made from the numbers that stand beside it; none
claims that deletion is proven."""

from __future__ import annotations

import re

from core.attacks.curve import SMALLEST
from core.metrics.measures import Evaluation
from core.metrics.registry import METRICS
from core.runs.photos import photos
from core.runs.run import Run
from core.runs.verdicts import verdict_of
from core.verdict import Signal, Verdict
from ui.wording import of_photos
from ui.wording.attack import fair_metric, fair_spy
from ui.wording.numbers import known, percent, points, value


def headline(run: Run) -> str:
    """The verdict on a run in one or two short sentences."""
    if run.before is None or run.after is None:
        return "This run has no final measurement, so there is nothing to judge."
    found = verdict_of(run)
    if found is not None and few(run) and (each := photos(run)):
        said = of_photos.summary(each)
        text = f"Photo by photo: {said[:1].lower()}{said[1:]}"
        return f"{text} And damaged." if found.damaged else text
    if found is None:
        return (
            "No verdict: no model was retrained without exactly these images, so the aim is not "
            "known."
        )
    return said_of(found)


def said_of(found: Verdict, images: str = "images") -> str:
    """A verdict in one or two short sentences. images: what was to be forgotten."""
    way = f"{100 * min(found.share, 0.99):.0f} % of the way from before to the retrained network"
    text = {
        "forgotten": "Forgotten, as far as these spies can see.",
        "only silenced": "Only silenced: from outside it looks like the retrained network, and "
        "inside it still knows.",
        "partly forgotten": f"Partly forgotten: {way}.",
        "not forgotten": "Not forgotten: it is nearer to the network before than to the retrained "
        f"one ({way}).",
        "forgotten too much": "Forgotten too much: it has gone past the retrained network.",
        "cannot tell": _cannot_tell(found, way, images),
    }[found.word]
    return f"{text} And damaged." if found.damaged else text


def stamp(run: Run) -> tuple[str, str]:
    """The headline as a stamp, in two or three words, and the sentence beside it; "" where there is
    none."""
    word, _, rest = re.sub(r"\W*And damaged\.$", ".", headline(run)).partition(": ")
    if not rest:
        word, _, rest = word.partition(", ")
    return word.rstrip("."), rest[:1].upper() + rest[1:]


def damaged(run: Run) -> bool:
    """Whether the verdict says that it lost some of what it was to keep."""
    found = verdict_of(run)
    return found is not None and bool(found.damaged)


def few(run: Run) -> bool:
    """Whether there are too few photos for a number over all of them, so that each is asked about
    by itself."""
    return run.after is not None and 0 < len(run.after.forget_losses) < SMALLEST


def _cannot_tell(found: Verdict, way: str, images: str) -> str:
    fewest = min((s.difference.n for s in found.signals if s.kind != "damage"), default=0)
    if not found.betrayed_by and found.missing:
        unknown = " and ".join(_UNKNOWN[kind] for kind in found.missing)
        return f"Cannot tell: what was seen looks like the retrained network, and {unknown}."
    if not found.betrayed_by:
        return (
            "Cannot tell: these numbers were those of the retrained network before unlearning "
            "already, so they cannot show forgetting here."
        )
    return f"Cannot tell: {fewest:,} {images} measure this too coarsely. It looks like {way}."


_UNKNOWN = {
    "answers": "its answers are not known",
    "outputs": "no spy has seen its outputs",
    "inside": "nobody has looked inside",
}


def looked_inside(run: Run) -> bool:
    """Whether what goes on inside the unlearned network is measured already."""
    measures = run.after.measures if run.after is not None else {}
    return any(METRICS[name].signal == "inside" for name in measures if name in METRICS)


def reasons(run: Run) -> str:
    """The numbers behind the headline."""
    before, after, ideal = run.before, run.after, run.retrained
    if before is None or after is None:
        return ""
    found = verdict_of(run)
    if found is None:
        start, end = fair_spy(before, run.plan.request), fair_spy(after, run.plan.request)
        spy = ""
        if known(start) and known(end):
            spy = f"The spy's score went from {value(start)} to {value(end)}. "
        elif fair_metric(run.plan.request) in after.measures:  # else it is still to come
            spy = "There are too few images to forget for the spy to be scored (it takes ten). "
        return spy + _cost(before, after, ideal)
    parts = []
    if signal := found.signal("forget_accuracy"):
        parts.append(
            f"Of the images to forget it labels {percent(signal.after)} correctly "
            f"({percent(signal.before)} before; the retrained network {percent(signal.ideal)})."
        )
    new = "a new one of the same class" if run.plan.request.class_matched else "a new one"
    others = "the other classes" if run.plan.request.kind == "classes" else "new images"
    sentences = {
        "outputs": f"Beside {new}, a spy that sees its answers finds a forgotten image the more "
        "familiar in {} of all pairs ({} before; the retrained network {}).",
        "inside": "Inside, a fresh last layer is right about what was to be forgotten {} often "
        f"than about {others}"
        " ({} before; the retrained network {}).",
    }
    for kind, sentence in sentences.items():
        if signal := _loudest(found, kind):
            values = signal.after, signal.before, signal.ideal
            shown = _more_or_less if kind == "inside" else percent
            parts.append(sentence.format(*map(shown, values)))
    if found.damaged:
        names = {
            "retain_accuracy": "on {} of the images it was to keep (retrained {})",
            "retained_test_accuracy": "on {} of new images of what it keeps (retrained {})",
        }
        worse = [found.signal(name) for name in found.damaged]
        listed = " and ".join(
            names[s.name].format(percent(s.after), percent(s.ideal)) for s in worse if s is not None
        )
        parts.append(f"The damage: it is right {listed}.")
    else:
        parts.append(_cost(before, after, ideal))
    return " ".join(parts)


def _more_or_less(difference: float) -> str:
    return f"{points(abs(difference)).lstrip('+')} {'more' if difference >= 0 else 'less'}"


def _loudest(found: Verdict, kind: str) -> Signal | None:
    """Of the signals of a kind the one that lies furthest from the ideal."""
    of_kind = [signal for signal in found.signals if signal.kind == kind]
    return max(of_kind, key=lambda s: abs(s.difference.value) / s.margin, default=None)


def _cost(before: Evaluation, after: Evaluation, ideal: Evaluation | None) -> str:
    start, end = before["retained_test_accuracy"], after["retained_test_accuracy"]
    if not (known(start) and known(end)):
        return ""
    text = (
        f"On new images of the classes it keeps it is right {percent(end.value)} of the time "
        f"({points(end.value - start.value)} against before"
    )
    if ideal is not None and known(goal := ideal["retained_test_accuracy"]):
        return text + f"; the retrained model {percent(goal.value)})."
    return text + ")."
