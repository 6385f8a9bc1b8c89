"""Sentences on the measured methods: which came nearest, what a trick reaches, and what the
distance cannot see."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ui.wording.numbers import duration, listed

CASES = {"random:0.1": "a random tenth", "class:automobile": "a whole class"}
"""The cases in which every method was measured, by their short form."""


def nearest(rows: Sequence[Mapping[str, Any]], label: Callable[[str], str]) -> str:
    """Which of the measured methods of one case came nearest, what a trick that forgets nothing
    reaches, and so what can be said. rows: as `core.runs.measured` has them; label: a method's
    name in words."""
    methods = sorted(
        (row for row in rows if row["method"] != "retrain" and not row["control"]),
        key=lambda row: row["gap"],
    )
    if not methods:
        return ""
    tied = [row for row in methods if row["tied"]]
    names = listed([f"**{label(row['method'])}**" for row in tied])
    if len(tied) > 1:
        said = (
            f"Of the {len(methods)} faster methods measured here, {names} are tied for nearest: "
            f"{tied[0]['gap']:.1f} to {tied[-1]['gap']:.1f} points from the retrained network on "
            "average, and the images measured cannot tell these apart."
        )
    elif len(methods) > 1:
        said = (
            f"Of the {len(methods)} faster methods measured here, {names} came nearest to the "
            f"retrained network: {tied[0]['gap']:.1f} points from it on average, in "
            f"{duration(tied[0]['seconds'])}."
        )
    else:
        said = (
            f"{names}, the only one measured so far, ended {tied[0]['gap']:.1f} points from the "
            f"retrained network on average, in {duration(tied[0]['seconds'])}."
        )
    controls = sorted((row for row in rows if row["control"]), key=lambda row: row["gap"])
    if not controls:
        return said
    better = [f"**{label(row['method'])}**" for row in methods if not row["no_nearer_than"]]
    trick = f"{controls[0]['control']} ({controls[0]['gap']:.1f} points), which forgets nothing"
    if not better:
        return f"{said} None of them is surely nearer than {trick}: here the distance is no proof."
    if len(better) == len(methods):
        return f"{said} All of them are nearer than {trick}."
    return f"{said} Surely nearer than {trick}, {'is' if len(better) == 1 else 'are'} only " + (
        f"{listed(better)}."
    )


def readings(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the distance of each measured row of one case is worth, for a table."""
    nearest = "tied for nearest" if sum(bool(row["tied"]) for row in rows) > 1 else "nearest"

    def reading(row: Mapping[str, Any]) -> str:
        if row["control"]:
            return "forgets nothing"
        said = [nearest] * bool(row["tied"])
        if row["no_nearer_than"]:
            said.append(f"no nearer than {row['no_nearer_than']}")
        return "; ".join(said)

    return [reading(row) for row in rows]


def blind(heads: Sequence[str]) -> str:
    """What the distance of the measured methods cannot see. heads: the names of the methods that
    change the last layer alone."""
    said = (
        "What the distance cannot see: it looks at answers and losses only. A method can mute the "
        "answer and keep all that the network sees in the images, its features."
    )
    if not heads:
        return said
    return (
        f"{said} {listed(heads)} change{'s' * (len(heads) == 1)} the last layer alone, so the "
        + ("features are exactly those of the network before.")
    )
