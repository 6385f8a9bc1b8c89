"""The unlearning methods, discovered: a new file in this folder is a new method."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from typing import Any, get_args

from core.errors import UnknownMethod
from core.unlearners.base import Group, Unlearner, values_of
from core.unlearners.presets import CASES, presets_for


def _discover() -> dict[str, type[Unlearner]]:
    methods: dict[str, type[Unlearner]] = {}
    for module_info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        for _, item in inspect.getmembers(module, inspect.isclass):
            if (
                item.__module__ == module.__name__
                and issubclass(item, Unlearner)
                and item is not Unlearner
            ):
                methods[item.name] = item
    order = get_args(Group)
    return dict(sorted(methods.items(), key=lambda pair: (order.index(pair[1].group), pair[0])))


_ALL = _discover()
METHODS = {name: method for name, method in _ALL.items() if method.group != "control"}
"""Every registered method by name, grouped."""
CONTROLS = {name: method for name, method in _ALL.items() if method.group == "control"}
"""What forgets nothing, by name: in every table, and not among the methods to use."""


def make(name: str, settings: Mapping[str, Any] | None = None, case: str = "random") -> Unlearner:
    """A method with its settings; what is not given is its preset for the case, else its default.

    case: "random", "class" or "digits". Values may be text, as a shell or a link gives them. Raises
    UnknownMethod or BadSetting.
    """
    if name not in _ALL:
        raise UnknownMethod(f"There is no method {name!r}.", f"There are {', '.join(METHODS)}.")
    method = _ALL[name]
    values = presets_for(name, case) | values_of(method, name, settings or {})
    return method(**values)


def describe(methods: Mapping[str, type[Unlearner]] = METHODS) -> list[dict[str, Any]]:
    """Every method with its parameters, ranges and defaults, JSON-ready; what screens, the shell
    and the docs are drawn from."""
    return [
        {
            "name": method.name,
            "label": method.label,
            "group": method.group,
            "needs": sorted(method.needs),
            "suits": method.suits,
            "precision": method.precision,
            "sentence": method.sentence,
            "paper": method.paper,
            "parameters": [
                {
                    "name": field.name,
                    "type": type(field.default).__name__,
                    "default": field.default,
                    **field.metadata,
                    "presets": {
                        case: presets[field.name]
                        for case in CASES
                        if field.name in (presets := presets_for(method.name, case))
                    },
                }
                for field in dataclasses.fields(method)
            ],
        }
        for method in methods.values()
    ]
