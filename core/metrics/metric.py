"""What a metric is: a number that is read from a model's evidence, and what it is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.metrics.evidence import Evidence
from core.metrics.measures import Measure

OUTCOMES = frozenset({"outcomes"})


@dataclass(frozen=True)
class Metric:
    """name: its key in files and on the shell. label: the field's term. sentence: what it says, for
    somebody who hears of it for the first time. measure: None where it cannot be measured (too few
    images). needs: of "outcomes", "logits" and "features" (see `Evidence`); where a model's
    evidence lacks one of them, the metric is not measured. slow: whether it takes so long that
    a verdict, which does not read it, is not to wait for it.
    """

    name: str
    label: str
    sentence: str
    measure: Callable[[Evidence], Measure | None]
    needs: frozenset[str] = OUTCOMES
    slow: bool = False
