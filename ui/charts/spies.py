"""A spy's line-up: where forgotten and new photos stand, and its ROC curve, with the threshold."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd

from core.attacks.lineup import Accused, Lineup
from ui.charts.histograms import DASHES, OPACITY, up
from ui.charts.networks import NAMES, strokes
from ui.charts.palette import FORGET, HEIGHT, INK, NEUTRAL, TEST

BINS = 20
CORNERS = 200
"""Points of a curve that are drawn at most."""
SETS = ("Forgotten photos", "New photos")


def places(line: Lineup, above: float, description: str) -> alt.LayerChart:
    """Two overlapping histograms of places, and the threshold. above: 0 to 1."""
    edges = np.linspace(0, 1, BINS + 1)
    frames = []
    for name, side in zip(SETS, (line.members, line.others), strict=True):
        shares = np.histogram(side, edges)[0] / len(side)
        steps = np.append(shares, shares[-1])
        frames.append(pd.DataFrame({"from": edges, "share": steps, "set": name}))
    rows = pd.concat(frames, ignore_index=True)
    top = max(0.15, float(np.ceil(rows["share"].max() * 20 - 1e-9) / 20))
    legend = alt.Legend(title=None, orient="top", symbolType="stroke", symbolSize=300)
    x = alt.X(
        "from:Q",
        title="More familiar to the spy than this share of new photos",
        axis=alt.Axis(format="%", tickCount=5),
        scale=alt.Scale(domain=[0.0, 1.0], nice=False),
    )
    base = alt.Chart(rows).encode(
        x=x,
        y=up("Share of the photos", top),
        color=alt.Color(
            "set:N", scale=alt.Scale(domain=list(SETS), range=[FORGET, TEST]), legend=legend
        ),
        tooltip=[
            alt.Tooltip("set:N", title="Photos"),
            alt.Tooltip("from:Q", title="Place from", format=".0%"),
            alt.Tooltip("share:Q", title="Share", format=".1%"),
        ],
    )
    here = alt.Chart(pd.DataFrame({"from": [above], "end": [1.0], "text": ["accused →"]}))
    left = above > 0.75
    return alt.layer(
        here.mark_rect(color=INK, opacity=0.1).encode(x=x, x2="end:Q"),
        base.mark_area(interpolate="step-after", opacity=OPACITY, line=False),
        base.mark_line(interpolate="step-after", strokeWidth=2).encode(
            strokeDash=alt.StrokeDash(
                "set:N", scale=alt.Scale(domain=list(SETS), range=DASHES), legend=legend
            )
        ),
        here.mark_rule(color=INK, strokeWidth=2).encode(x=x),
        here.mark_text(
            color=INK, baseline="top", align="right" if left else "left", dx=-6 if left else 6
        ).encode(x=x, y=alt.value(4), text="text:N"),
    ).properties(height=HEIGHT, description=description)


def roc(
    lines: Mapping[str, Lineup], model: str, accused: Accused, description: str
) -> alt.LayerChart:
    """The curves of all networks, and the point where the threshold puts one of them."""
    frames = []
    for name, line in lines.items():
        wrongly, found = line.curve()
        some = np.unique(np.linspace(0, len(wrongly) - 1, CORNERS).astype(int))
        frames.append(
            pd.DataFrame({"wrongly": wrongly[some], "found": found[some], "network": NAMES[name]})
        )
    whole = alt.Scale(domain=[0.0, 1.0], nice=False)
    x = alt.X(
        "wrongly:Q",
        title="New photos accused (FPR)",
        scale=whole,
        axis=alt.Axis(format="%", tickCount=5),
    )
    y = alt.Y(
        "found:Q",
        title="Forgotten photos accused (TPR)",
        scale=whole,
        axis=alt.Axis(format="%", tickCount=5),
    )
    told = [
        alt.Tooltip("network:N", title="Network"),
        alt.Tooltip("wrongly:Q", title="FPR", format=".1%"),
        alt.Tooltip("found:Q", title="TPR", format=".1%"),
    ]
    chance = alt.Chart(pd.DataFrame({"wrongly": [0.0, 1.0], "found": [0.0, 1.0]}))
    point = pd.DataFrame(
        {"wrongly": [accused.wrongly], "found": [accused.found], "network": [NAMES[model]]}
    )
    return alt.layer(
        chance.mark_line(color=NEUTRAL, strokeWidth=1, strokeDash=[3, 3]).encode(x=x, y=y),
        alt.Chart(pd.concat(frames, ignore_index=True))
        .mark_line(color=INK, strokeWidth=2)
        .encode(x=x, y=y, strokeDash=strokes(list(lines)), tooltip=told, order="wrongly:Q"),
        alt.Chart(point)
        .mark_point(shape="diamond", size=190, filled=True, opacity=1, color=FORGET)
        .encode(x=x, y=y, tooltip=told),
    ).properties(height=HEIGHT, description=description)
