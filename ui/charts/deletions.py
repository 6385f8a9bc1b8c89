"""What was predicted of a loss against what happened, over several removals."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from ui.charts.palette import FORGET, NEUTRAL

KINDS = {
    "chosen": "the ones you chose",
    "misled it": "misled it most",
    "helped it": "helped it most",
    "at random": "at random",
}
HEIGHT = 420
"""Beside text it is then about square."""
SHAPES = ["diamond", "triangle-down", "triangle-up", "circle"]


def predicted_against_actual(
    kinds: Sequence[str],
    sizes: Sequence[int],
    predicted: Sequence[float],
    actual: Sequence[float],
    description: str,
) -> alt.LayerChart:
    """A point a removal, both axes alike, the dashed line where prediction and truth agree.

    predicted, actual: changes as shares of the test photo's loss.
    """
    rows = pd.DataFrame(
        {
            "left out": [KINDS[kind] for kind in kinds],
            "photos": list(sizes),
            "predicted": np.asarray(predicted, float),
            "actual": np.asarray(actual, float),
        }
    )[::-1]  # the chosen ones last, above all others
    both = rows[["predicted", "actual"]].to_numpy()
    low, high = min(float(both.min()), 0.0), max(float(both.max()), 1e-6)
    ends = [low - 0.06 * (high - low), high + 0.06 * (high - low)]
    scale = alt.Scale(domain=ends, nice=False)
    axis = alt.Axis(format="+.2~%", tickCount=5, labelOverlap=True)
    x = alt.X("predicted:Q", title="Predicted change of the loss", scale=scale, axis=axis)
    y = alt.Y("actual:Q", title="What happened", scale=scale, axis=axis)
    names = list(KINDS.values())
    legend = alt.Legend(title=None, orient="top", columns=2, symbolSize=110, labelLimit=200)
    line = (
        alt.Chart(pd.DataFrame({"predicted": ends, "actual": ends}))
        .mark_line(strokeDash=[4, 4], color=NEUTRAL)
        .encode(x=x, y=y)
    )
    points = (
        alt.Chart(rows)
        .mark_point(size=90, strokeWidth=2, opacity=1, filled=True)
        .encode(
            x=x,
            y=y,
            shape=alt.Shape(
                "left out:N", scale=alt.Scale(domain=names, range=SHAPES), legend=legend
            ),
            color=alt.Color(
                "left out:N",
                scale=alt.Scale(domain=names, range=[FORGET, NEUTRAL, NEUTRAL, NEUTRAL]),
                legend=legend,
            ),
            tooltip=[
                alt.Tooltip("left out:N", title="Left out"),
                alt.Tooltip("photos:Q", title="Photos"),
                alt.Tooltip("predicted:Q", title="Predicted", format="+.2%"),
                alt.Tooltip("actual:Q", title="What happened", format="+.2%"),
            ],
        )
    )
    return alt.layer(line, points).properties(height=HEIGHT, description=description)
