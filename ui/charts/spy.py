"""The spy's scores of the three models, with their intervals."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from core.metrics.measures import Measure
from ui.charts.palette import NEUTRAL
from ui.wording.numbers import known
from ui.wording.terms import SHORT


def spy_scores(measures: dict[str, Measure | None], description: str) -> alt.LayerChart:
    """The attack's score with its interval, before, after and retrained. A dashed line where the
    aim is: at the retrained model's score, or at a coin flip where that is not known."""
    rows = pd.DataFrame(
        [
            {"model": SHORT[name], "score": m.value, "low": m.low, "high": m.high}
            for name, m in measures.items()
            if m is not None and known(m)
        ],
        columns=["model", "score", "low", "high"],
    )
    ideal = measures.get("retrained")
    aim = ideal.value if ideal is not None and known(ideal) else 0.5
    low = min([0.45, aim, *(rows["low"].dropna())])
    high = max([0.65, aim, *(rows["high"].dropna())])
    scale = alt.Scale(
        domain=[float(np.floor(low * 20) / 20), float(np.ceil(high * 20) / 20)], nice=False
    )
    y = alt.Y("model:N", title=None, sort=list(SHORT.values()), axis=alt.Axis(labelLimit=160))
    base = alt.Chart(rows)
    x_title = f"Spy's score (dashed: {'the ideal' if aim != 0.5 else 'a coin flip'})"
    axis = alt.Axis(format="%", tickCount=6)
    bars = base.mark_rule(strokeWidth=4, color=NEUTRAL, opacity=0.6).encode(
        x=alt.X("low:Q", scale=scale, title=x_title, axis=axis), x2="high:Q", y=y
    )
    dots = base.mark_point(size=120, filled=True, color=NEUTRAL, opacity=1).encode(
        x=alt.X("score:Q", scale=scale, title=x_title),
        y=y,
        tooltip=[
            alt.Tooltip("model:N", title="Model"),
            alt.Tooltip("score:Q", title="Score", format=".1%"),
            alt.Tooltip("low:Q", title="at least", format=".1%"),
            alt.Tooltip("high:Q", title="at most", format=".1%"),
        ],
    )
    line = alt.Chart(pd.DataFrame({"x": [aim]})).mark_rule(strokeDash=[4, 4], color=NEUTRAL)
    return alt.layer(
        line.encode(x=alt.X("x:Q", scale=scale, title=x_title)), bars, dots
    ).properties(height=190, description=description)
