"""What forgetting has to reach, known before a run starts."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Literal

import streamlit as st

from core.checkpoints.spread import FoldError, fold_error
from core.data.requests import ForgetRequest, Kind
from core.errors import LabError
from core.metrics.measures import Measure
from ui.services import images

log = logging.getLogger(__name__)

SHOWN = ("forget_accuracy", "retained_test_accuracy", "margin_auc")


@dataclass(frozen=True)
class Aim:
    """kind: one model that was retrained without the forget set, or those of all folds put
    together. measures: what it does, by metric; None where there are too few images. error: of such
    an aim from the folds, where that was measured."""

    kind: Literal["retrained", "folds"]
    measures: dict[str, Measure | None]
    error: FoldError | None


def aim(model: str, dataset: str, request: ForgetRequest) -> Aim | None:
    """The ideal of a request; None where no kept model gives one. Raises LabError for a request
    that cannot be met; imports torch."""
    return _aim(model, dataset, json.dumps(request.to_dict(), sort_keys=True))


@st.cache_data(max_entries=32, show_spinner="Looking up the aim…")
def _aim(model: str, dataset: str, request: str) -> Aim | None:
    from core.evaluation import measure
    from core.ideal import find_ideal
    from core.metrics.registry import METRICS

    data, wanted = images.dataset(dataset), ForgetRequest.from_dict(json.loads(request))
    parts = images.split(dataset, wanted)
    try:
        found = find_ideal(model, data, parts)
        if found is None:
            return None
        evidence = found.evidence(data, parts, inside=False)
    except LabError as error:
        log.warning("no ideal: %s", error)
        return None
    evaluation = measure(evidence, [METRICS[name] for name in SHOWN])
    error = off(model, dataset, wanted.kind) if found.kind == "folds" else None
    return Aim(found.kind, dict(evaluation.measures), error)


def off(model: str, dataset: str, kind: Kind) -> FoldError | None:
    """How far an ideal from the folds lies from retraining, for requests of this kind; None where
    that is not known."""
    try:
        return fold_error(model, dataset, kind)
    except LabError as error:
        log.warning("%s", error)
        return None


@st.cache_data(show_spinner=False)
def seconds_of_training(model: str, dataset: str) -> float | None:
    """How long the base was trained where it was trained; None where nobody knows."""
    from core.runs import admission

    return admission.seconds_of_training(model, dataset)
