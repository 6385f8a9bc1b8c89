"""Sentences on the aim of a run, before it starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from core.metrics.measures import Measure
from ui.wording.numbers import duration, known, percent

WHO = {
    "retrained": "A network retrained without exactly these images",
    "folds": "Ten networks, each trained without another tenth of the images and each asked about "
    "those that it never saw,",
}


def aim(kind: Literal["retrained", "folds"], measures: Mapping[str, Measure | None]) -> str:
    """What whoever never saw the images makes of them: the number to reach."""
    text = f"**The aim.** {WHO[kind]}"
    forget, useful = measures.get("forget_accuracy"), measures.get("retained_test_accuracy")
    if not known(forget):
        return f"{text} will stand beside the result."
    text += (
        f" labels {percent(forget.value)} of them correctly"
        if kind == "retrained"
        else (f" label {percent(forget.value)} of them correctly")
    )
    if known(useful):
        text += f", and {percent(useful.value)} of new images"
    text += "."
    if known(auc := measures.get("margin_auc")):
        text += (
            f" A spy that sees the answers finds a forgotten image the more familiar in "
            f"{percent(auc.value)} of all pairs with a new one."
        )
    return f"{text} Forgetting means to get there."


def unknown(seconds: float | None) -> str:
    """That nobody knows the aim, and what would give it. seconds: of training the base."""
    text = (
        "**The aim is not known.** No network was trained without these images. A run shows what "
        "it changes; whether that is forgetting, only a retrained network can tell."
    )
    if seconds is None:
        return text
    return f"{text} Training the network before took {duration(seconds)} on its machine."
