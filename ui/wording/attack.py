"""Sentences on the spy and on what it sees: the fair question, its score so far, the two shapes."""

from __future__ import annotations

from core.data.requests import ForgetRequest
from core.metrics.measures import Evaluation, Measure
from ui.wording.numbers import known, percent


def fair_metric(request: ForgetRequest) -> str:
    """The name of the attack that asks a fair question for this request."""
    return "mia_class_matched" if request.class_matched else "mia"


def fair_spy(evaluation: Evaluation, request: ForgetRequest) -> Measure | None:
    """Its score."""
    return evaluation[fair_metric(request)]


def direction(measure: Measure | None, ideal: Measure | None = None) -> str:
    """What gives the images away, for an `AttackMeasure`, and whether it does so with the ideal."""
    if not known(measure):
        return ""
    side = getattr(measure, "direction", "")
    text = {
        "forget lower": "The images to forget surprise the network less than new ones do",
        "forget higher": "The images to forget surprise the network more than new ones do",
        "none": "That is no better than a coin flip can explain",
    }.get(side, "")
    if text and known(ideal):
        same = getattr(ideal, "direction", "") == side
        text += ", as with the retrained network" if same else ", unlike with the retrained network"
    return f"{text}." if text else ""


def histogram_takeaway(before: float, after: float, ideal: float | None) -> str:
    """What the overlap of the two shapes says: the overlap coefficients shown, before, after and
    of the retrained model."""
    text = (
        f"The shapes of forgotten and new images overlap by {percent(after)} after unlearning, "
        f"{percent(before)} before"
    )
    if ideal is None:
        return f"{text}."
    nearer = abs(after - ideal) < abs(before - ideal)
    return (
        f"{text}. The aim is the retrained network's {percent(ideal)}: unlearning brought it "
        f"{'nearer' if nearer else 'no nearer'}."
    )


def shapes(overlap: float) -> str:
    """How much of the shapes of forgotten and new images is the same."""
    return f"The shapes of forgotten and new images overlap by {percent(overlap)}."
