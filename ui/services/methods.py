"""The methods, as the screens know them; torch is imported only where a description is needed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import streamlit as st

from core.runs.run import RunFacts
from ui.wording import titles
from ui.wording.catalogue import method_name

MODEL, ENSEMBLE = "compact", "sisa"


def descriptions() -> dict[str, dict[str, Any]]:
    """Every method's description by name (imports torch)."""
    return {method["name"]: method for method in _described()}


@st.cache_data(show_spinner=False)
def _described() -> list[dict[str, Any]]:
    from core.unlearners import describe

    return list(describe())


@st.cache_data(show_spinner=False)
def _names() -> dict[str, str]:
    """The labels of all that can be run, the controls too."""
    from core.runs import brought
    from core.unlearners import CONTROLS, METHODS

    every = {name: method.label for name, method in (METHODS | CONTROLS).items()}
    return {**every, brought.NAME: brought.LABEL}


def labels() -> dict[str, str]:
    """The methods' labels by name."""
    return {name: method["label"] for name, method in descriptions().items()}


def label(name: str) -> str:
    """A method's name on a screen. Before anything has imported the methods (and torch with them)
    it is made from the registry's key."""
    if "core.unlearners" in sys.modules and name in (known := _names()):
        return known[name]
    return method_name(name)


def setting_label(method: str, name: str) -> str:
    """A hyper-parameter's name on a screen, with the same care as `label`."""
    if "core.unlearners" in sys.modules and method in (known := descriptions()):
        for parameter in known[method]["parameters"]:
            if parameter["name"] == name:
                return str(parameter["label"])
    return name.replace("_", " ")


def names(runs: Sequence[RunFacts]) -> list[str]:
    """The runs' methods, with what they differ in where they have the same name."""
    apart = titles.differences([r.plan for r in runs], [r.settings for r in runs], setting_label)
    return [
        label(run.plan.method) + f" ({said})" * bool(said)
        for run, said in zip(runs, apart, strict=True)
    ]


def model_for(method: dict[str, Any], wanted: str = MODEL) -> str:
    """The architecture that a method works on: the one wanted, but the ensemble for a method that
    needs its shards, and for no other."""
    if "shards" in method["needs"]:
        return ENSEMBLE
    return MODEL if wanted == ENSEMBLE else wanted


def defaults(method: dict[str, Any], case: str) -> dict[str, Any]:
    """A method's settings for a case, tuned presets first."""
    return {p["name"]: p.get("presets", {}).get(case, p["default"]) for p in method["parameters"]}
