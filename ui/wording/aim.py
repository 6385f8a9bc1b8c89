"""Sentences on the aim of a run, before it starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from core.checkpoints.spread import FoldError
from core.metrics.measures import Measure
from core.metrics.registry import METRICS
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


def off(error: FoldError | None) -> str:
    """How far such an aim was from retraining, where that was measured. error: of this kind of
    request."""
    if error is None:
        return ""
    forget, spy = (error.largest.get(name, 0.0) for name in ("forget_accuracy", "margin_auc"))
    text = (
        f"For {error.sets} such choice{'s' * (error.sets != 1)} networks were really retrained: "
        f"this aim lay at most {100 * forget:.1f} points from them in how many of the forgotten "
        "images are labelled "
        f"correctly, and {100 * spy:.1f} in how many pairs the spy sees through."
    )
    if not unsure(error):
        return text
    return f"{text} That is more than a verdict can overlook: retrain without them to be sure."


def unsure(error: FoldError | None) -> bool:
    """Whether a verdict could take such an aim's error for a difference."""
    if error is None:
        return False
    margins = {name: METRICS[name].margin for name in error.largest if name in METRICS}
    return any(0 < margin < error.largest[name] for name, margin in margins.items())


def unknown(seconds: float | None) -> str:
    """That nobody knows the aim, and what would give it. seconds: of training the base."""
    text = (
        "**The aim is not known.** No network was trained without these images. A run shows what "
        "it changes; whether that is forgetting, only a retrained network can tell."
    )
    return f"{text} {how_long(seconds)}".rstrip()


def how_long(seconds: float | None) -> str:
    """What retraining costs, from the seconds of training the base; "" where nobody knows."""
    if seconds is None:
        return ""
    return f"Training the network before took {duration(seconds)} on its machine."
