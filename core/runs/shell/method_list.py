"""Every method with its parameters and what it was measured to cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.unlearners import describe


def methods_with_costs(measured: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """JSON-ready: what `describe` says of each method, and its rows of what was measured."""
    return [
        {**method, "measured": [row for row in measured if row["method"] == method["name"]]}
        for method in describe()
    ]


def method_lines(methods: Iterable[Mapping[str, Any]]) -> list[str]:
    """The same as text."""
    lines: list[str] = []
    group = ""
    for method in methods:
        if method["group"] != group:
            group = method["group"]
            lines += ["", group]
        lines.append(f"  {method['name']:20} {method['label']}: {method['sentence']}")
        needs = ", ".join(method["needs"]) or "nothing"
        suits = "samples and classes" if method["suits"] == "both" else method["suits"]
        precision = "always in float32; " if method["precision"] == "float32" else ""
        lines.append(f"    reads {needs}; for {suits}; {precision}{method['paper']}")
        lines += [
            f"    on CIFAR-10, {row['case']}: {row['seconds']:.1f} s, "
            f"{100 * row['share']:.1f} % of retraining, {row['gap']:.2f} points from it"
            for row in method["measured"]
        ]
        for parameter in method["parameters"]:
            setting = f"--set {parameter['name']}={parameter['default']}"
            presets = ", ".join(f"{case} {value}" for case, value in parameter["presets"].items())
            limits = f"{parameter['low']:g} to {parameter['high']:g}"
            lines.append(f"    {setting:32} {limits}" + (f"; {presets}" if presets else ""))
    return lines
