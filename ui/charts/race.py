"""The race: points from the ideal over the seconds, a line a run, as far as it has come."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from ui.charts.palette import INK
from ui.wording.race import Race

HEIGHT = 300
DASHES = [[1, 0], [8, 4], [3, 3], [10, 3, 2, 3], [14, 4], [2, 5]]
Spec = dict[str, Any]
"""Vega-Lite."""


def course(race: Race) -> alt.LayerChart:
    """The race without its runs, which `at` puts in: made once, drawn at each tick."""
    x_scale = alt.Scale(domain=[0.0, 1.04 * max(race.end, 0.1)], nice=False)
    y_scale = alt.Scale(domain=list(race.domain), nice=False)
    x = alt.X("seconds:Q", title="Seconds of the method", scale=x_scale)
    y = alt.Y("away:Q", title="Points from the ideal", scale=y_scale, axis=alt.Axis(tickCount=6))
    names = [f"{track.letter}: {track.name}" for track in race.tracks]
    dash = alt.StrokeDash(
        "run:N",
        scale=alt.Scale(domain=names, range=DASHES[: len(names)]),
        legend=alt.Legend(
            title=None, orient="top", columns=2, symbolSize=400, symbolStrokeColor=INK,
            labelLimit=320,
        ),
    )  # fmt: skip
    told = [
        alt.Tooltip("run:N", title="Run"),
        alt.Tooltip("seconds:Q", title="Seconds", format=".1f"),
        alt.Tooltip("away:Q", title="Points from the ideal", format="+.1f"),
    ]
    band = alt.Chart(pd.DataFrame({"low": [-race.band], "high": [race.band], "zero": [0.0]}))
    path, heads = (alt.Chart(alt.NamedData(name)) for name in ("path", "heads"))
    return alt.layer(
        band.mark_rect(color=INK, opacity=0.16).encode(
            alt.Y("low:Q", scale=y_scale, title="Points from the ideal"), y2="high:Q"
        ),
        band.mark_rule(strokeDash=[4, 4], color=INK, opacity=0.7).encode(
            alt.Y("zero:Q", scale=y_scale)
        ),
        path.mark_line(color=INK, strokeWidth=2).encode(x, y, strokeDash=dash),
        path.mark_point(size=26, filled=True, color=INK, opacity=1).encode(x, y, tooltip=told),
        heads.mark_point(shape="diamond", size=190, filled=True, color=INK, opacity=1).encode(
            x, y, tooltip=told
        ),
        heads.mark_text(
            dx=10, dy=-10, align="left", fontSize=14, fontWeight="bold", color=INK
        ).encode(x, y, text="letter:N"),
    ).properties(height=HEIGHT)


def at(made: Spec, race: Race, seconds: float, description: str) -> Spec:
    """The course with the runs as they were at a moment."""
    path, heads = [], []
    for track in race.tracks:
        name = f"{track.letter}: {track.name}"
        looks = track.until(seconds)
        path += [{"run": name, "seconds": x.seconds, "away": x.away} for x in looks]
        heads.append({**path[-1], "letter": track.letter})
    data = {**made["datasets"], "path": path, "heads": heads}
    return {**made, "datasets": data, "description": description}
