"""Probabilistic models that forget, computed where a screen asks for them and then shared.

Whatever imports torch is imported inside the function that needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.data.requests import ForgetRequest
from ui.services import images
from ui.wording.attack import fair_metric

if TYPE_CHECKING:
    from core.graphical.forgetting import Forgotten
    from core.graphical.model import Model
    from core.graphical.network import InNetwork
    from core.graphical.registry import Sides
    from core.metrics.metric import Metric

DIGITS = "digits"
COUNTED = ("naive_bayes", "categorical_bayes", "chow_liu", "tan")
"""Models of pixels that are made of sums."""
HIDDEN = ("mixture", "hmm", "logistic")
"""Those that are not."""
HEAD = "discriminant"


def labels(names: tuple[str, ...]) -> dict[str, str]:
    """What the models are called."""
    from core.graphical.registry import MODELS

    return {name: MODELS[name].label for name in names}


def methods(model: str) -> dict[str, str]:
    """By name, what the methods that a model forgets by are called, its own first; retraining and
    doing nothing are not among them."""
    from core.graphical.methods import METHODS, methods_of
    from core.graphical.registry import MODELS

    names = methods_of(MODELS[model])
    return {name: METHODS[name].label for name in names if name not in ("retrain", "do_nothing")}


def forgotten(model: str, request: ForgetRequest, method: str = "") -> Forgotten:
    """A model of the digits before, after and retrained, by this method or its own. Raises
    LabError."""
    return _forgotten(model, request.to_json(), method)


@st.cache_resource(show_spinner="Forgetting…", max_entries=48)
def _forgotten(model: str, request: str, method: str = "") -> Forgotten:
    from core.graphical.forgetting import forget
    from core.graphical.methods import make, methods_of
    from core.graphical.registry import model_of
    from core.graphical.task import Task

    kind = model_of(model, DIGITS)
    by = make(method or methods_of(kind)[0], kind)
    parts = images.split(DIGITS, ForgetRequest.from_json(request))
    task = Task(kind, by, images.dataset(DIGITS), _sides(model), parts)
    return forget(task, _trained(model), _shown(request))


@st.cache_resource(show_spinner="Reading the digits…")
def _sides(model: str) -> Sides:
    from core.graphical.registry import model_of, sides

    return sides(model_of(model, DIGITS), images.dataset(DIGITS))


@st.cache_resource(show_spinner=False)
def _trained(model: str) -> Model:
    """Of all training images."""
    from core.graphical.registry import model_of

    return model_of(model, DIGITS).fit(_sides(model).train, len(images.dataset(DIGITS).class_names))


def _shown(request: str) -> list[Metric]:
    """What a screen shows or a verdict reads."""
    from core.metrics.registry import METRICS

    shown = (fair_metric(ForgetRequest.from_json(request)), "activation_distance")
    return [metric for metric in METRICS.values() if metric.signal or metric.name in shown]


def in_network(request: ForgetRequest) -> InNetwork | None:
    """The head of `forgotten` judged against a network that never saw these digits; None where
    none is kept. Raises LabError."""
    return _in_network(request.to_json())


@st.cache_resource(show_spinner="Looking inside two networks…", max_entries=8)
def _in_network(request: str) -> InNetwork | None:
    from core.graphical import network

    done = _forgotten(HEAD, request)
    kept = network.retrained_network(done)
    return None if kept is None else network.in_network(done, kept, _shown(request))
