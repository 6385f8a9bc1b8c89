"""Forgotten, or only silenced? What a network says, and what a new last layer finds in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.data.requests import ForgetRequest
from core.metrics.measures import Evaluation, Measure
from core.runs.run import MODELS, Run
from core.runs.verdicts import verdict_of
from core.verdict import Signal
from ui.wording.numbers import percent

QUESTION = "Forgotten, or only silenced?"
SAYS, RECOGNISES = "What it says", "What it still recognises"
SWITCH = "Give both networks a new mouth"
SWITCH_HELP = (
    "A new last layer is fitted on what each network sees inside (the field calls it a read-out or "
    "linear probe). What was only silenced comes back; the network that never saw the photos gets "
    "the same switch, so that the comparison is fair."
)
ROWS = {"before": "before", "after": "now", "retrained": "ideal"}
Right = NDArray[np.bool_]


@dataclass(frozen=True)
class Mouths:
    """Of one network. says: how often its own last layer names the class of the photos asked about,
    0 to 1; recognises: how often a new one does. own, new: bool (n,), photo by photo."""

    says: float
    recognises: float
    own: Right
    new: Right


def whole(request: ForgetRequest) -> bool:
    """Whether whole classes were forgotten, so that new photos of them are asked about; else the
    forgotten photos are."""
    return request.kind == "classes" and request.fraction is None


def mouths(run: Run) -> dict[str, Mouths]:
    """The networks that were looked into, by model; empty unless now and ideal are among them."""
    found = {
        model: made
        for model in MODELS
        if (evaluation := getattr(run, model)) is not None
        and (made := _mouths(evaluation, run.plan.request))
    }
    return found if {"after", "retrained"} <= set(found) else {}


def _mouths(evaluation: Evaluation, request: ForgetRequest) -> Mouths | None:
    said = evaluation["class_matched_test_accuracy" if whole(request) else "forget_accuracy"]
    inside = evaluation["re_head"]
    if not _each(said) or not _each(inside):
        return None
    assert said is not None
    assert inside is not None
    own, new = np.asarray(said.each[0], bool), np.asarray(inside.each[0]) > 0.5
    return Mouths(said.value, float(new.mean()), own, new)


def _each(measure: Measure | None) -> bool:
    return measure is not None and bool(measure.each) and bool(len(measure.each[0]))


def name_of(request: ForgetRequest) -> str:
    """What is recognised, in a sentence; a class by its name, as it is."""
    if request.kind == "classes" and len(request.classes) == 1:
        return f"“{request.classes[0]}”"
    return "the forgotten classes" if whole(request) else "the forgotten photos"


def finding(run: Run, found: Mapping[str, Mouths]) -> str:
    """What the two numbers of both networks add up to, as the verdict's look inside has it."""
    verdict = verdict_of(run)
    signal = verdict.signal("re_head") if verdict else None
    now, ideal = found["after"], found["retrained"]
    asked = name_of(run.plan.request)
    again = "one" if asked.startswith("“") else "them"
    numbers = (
        f"{percent(now.recognises)} with a new last layer, the ideal {percent(ideal.recognises)}"
    )
    if signal is None:
        return f"It recognises {asked}: {numbers}."
    says = _says(verdict.signal("forget_accuracy") if verdict else None, asked)
    place = {
        "at the ideal": f"recognises {again} no better than a network that never saw any",
        "cannot tell": f"nobody can tell whether it recognises {again} better than a network that "
        "never saw any",
    }.get(signal.place)
    if place is None:
        better = signal.difference.value > 0
        place = (
            f"still recognises {again} better than a network that never saw any"
            if better
            else f"recognises {again} worse than a network that never saw any"
        )
    joint = "but" if signal.place == "on the way" and says.startswith("It no") else "and"
    return f"{says}, {joint} {place}: {numbers}."


def _says(signal: Signal | None, asked: str) -> str:
    if signal is None:
        return "What it says is not known"
    if signal.place == "at the ideal":
        silent = signal.after < 0.5 < signal.before
        return f"It no longer names {asked}" if silent else "It says what the ideal says"
    above = "more" if signal.difference.value > 0 else "less"
    return f"It is right about {asked} {above} often than the ideal"


def yardstick(run: Run, found: Mapping[str, Mouths]) -> str:
    """Why the ideal, and not nothing, is the measure; and what the verdict takes off."""
    verdict = verdict_of(run)
    signal = verdict.signal("re_head") if verdict else None
    request = run.plan.request
    ideal = found["retrained"].recognises
    if whole(request):
        text = (
            f"Even a network that was never taught them tells {percent(ideal)} of them from the "
            "rest once it has a new last layer, so the yardstick is that and not 0."
        )
    else:
        text = f"The yardstick is the {percent(ideal)} of a network that never saw them, and not 0."
    if signal is None:
        return text
    others = "the other classes" if whole(request) else "new photos"
    return (
        f"{text} A worse network sees less of everything, so the verdict reads how much better it "
        f"recognises them than {others}: {100 * signal.after:+.1f} points now, ideal "
        f"{100 * signal.ideal:+.1f}."
    )


def switched(now: Mouths, ideal: Mouths, new: bool) -> str:
    """What the switch shows. new: whether both networks have a new mouth."""
    name = "recognises" if new else "says"
    shares = [percent(getattr(network, name)) for network in (now, ideal)]
    if new:
        return f"With a new mouth it names **{shares[0]}** of them, and the ideal **{shares[1]}**."
    return f"With its own mouth it names **{shares[0]}** of them, and the ideal **{shares[1]}**."
