"""A value over the steps of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from ui.charts.palette import FORGET, NEUTRAL


def line(
    steps: Sequence[int],
    values: Sequence[float],
    total: int,
    title: str,
    description: str,
    domain: tuple[float, float] | None = None,
    references: dict[str, float] | None = None,
    percent: bool = False,
    mark: int | None = None,
) -> alt.LayerChart:
    """A value over the steps of a run, on the whole run's x axis.

    references: horizontal lines by name. mark: a step to point out.
    """
    rows = pd.DataFrame({"step": list(steps), "value": list(values)})
    low, high = domain or (0.0, max([*rows["value"].dropna(), 1e-3]) * 1.05)
    steps_axis = alt.Axis(tickMinStep=1, tickCount=8, format=",d")
    scale = alt.Scale(domain=[0, max(1, total)], nice=False)
    x = alt.X("step:Q", title="Step", axis=steps_axis, scale=scale)
    y = alt.Y(
        "value:Q",
        title=title,
        scale=alt.Scale(domain=[float(low), float(high)], nice=False),
        axis=alt.Axis(format="%", tickCount=5) if percent else alt.Axis(tickCount=5),
    )
    form = ".1%" if percent else ".3f"
    layers: list[Any] = [
        alt.Chart(rows)
        .mark_line(color=NEUTRAL, strokeWidth=2, point=len(rows) <= 30, clip=True)
        .encode(
            x=x,
            y=y,
            tooltip=[alt.Tooltip("step:Q"), alt.Tooltip("value:Q", title=title, format=form)],
        )
    ]
    if references:
        named = pd.DataFrame({"name": list(references), "value": list(references.values())})
        base = alt.Chart(named)
        layers.append(
            base.mark_rule(strokeWidth=1.5, color=NEUTRAL).encode(
                y=y,
                strokeDash=alt.StrokeDash(
                    "name:N",
                    scale=alt.Scale(domain=list(references), range=[[6, 3], [2, 3], [1, 1]]),
                    legend=alt.Legend(title=None, orient="top"),
                ),
            )
        )
    if mark is not None:
        here = alt.Chart(pd.DataFrame({"step": [mark]}))
        layers.append(here.mark_rule(color=FORGET, strokeWidth=2).encode(x=x))
    return alt.layer(*layers).properties(height=240, description=description)
