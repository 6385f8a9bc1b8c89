"""What a metric is: a number that is read from a model's evidence, and what it is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from core.metrics.evidence import Evidence
from core.metrics.measures import Measure

OUTCOMES = frozenset({"outcomes"})
LOGITS = frozenset({"outcomes", "logits"})

Signal = Literal["answers", "outputs", "inside", "damage", ""]
"""Of what a number is a signal to the verdict: of the answers on the images to forget, of what a
spy makes of the outputs or of what goes on inside, or of the damage; "" of nothing."""


@dataclass(frozen=True)
class Metric:
    """name: its key in files and on the shell. label: the field's term. sentence: what it says, for
    somebody who hears of it for the first time. measure: None where it cannot be measured (too few
    images). needs: of what `Evidence.provides` names; where a model's evidence lacks one of them,
    the metric is not measured. slow: whether it takes so long that a verdict, which does not read
    it, is not to wait for it. signal: what it is to the verdict (`core.verdict`); margin: the
    difference to the ideal up to which that signal counts it as none.
    """

    name: str
    label: str
    sentence: str
    measure: Callable[[Evidence], Measure | None]
    needs: frozenset[str] = OUTCOMES
    slow: bool = False
    signal: Signal = ""
    margin: float = 0.0
