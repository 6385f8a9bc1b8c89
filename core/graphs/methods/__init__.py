"""The unlearning methods for graphs, by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from core.errors import BadSetting, UnknownMethod
from core.graphs.methods.base import GraphMethod, setting
from core.graphs.methods.by_images import FineTune, GradientAscent
from core.graphs.methods.do_nothing import DoNothing
from core.graphs.methods.gif import Gif
from core.graphs.methods.graph_eraser import GraphEraser
from core.graphs.methods.retrain import Retrain

METHODS: dict[str, type[GraphMethod]] = {
    method.name: method
    for method in (Retrain, GraphEraser, Gif, FineTune, GradientAscent, DoNothing)
}


def make(name: str, settings: Mapping[str, Any] | None = None) -> GraphMethod:
    """A method with its settings, which may be text. Raises UnknownMethod or BadSetting."""
    if name not in METHODS:
        raise UnknownMethod(
            f"There is no method {name!r} for graphs.", f"There are {', '.join(METHODS)}."
        )
    method = METHODS[name]
    kinds = {field.name: type(field.default) for field in dataclasses.fields(method)}
    if unknown := sorted(set(settings or {}) - set(kinds)):
        raise BadSetting(
            f"{name} has no setting {unknown[0]!r}.",
            f"It has {', '.join(kinds)}." if kinds else "It has none.",
        )
    given = {key: setting(kinds[key], key, value) for key, value in (settings or {}).items()}
    return method(**given)
