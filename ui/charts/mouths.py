"""What a network says, and what a new last layer recognises in it: before, now and ideal."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import pandas as pd

from ui.charts.palette import FORGET, INK
from ui.wording.numbers import percent, points
from ui.wording.silenced import RECOGNISES, ROWS, SAYS, Mouths

ROW = 34


def mouths(found: Mapping[str, Mouths], excess: bool, description: str) -> alt.LayerChart:
    """Shares of the photos asked about. excess: whether the verdict finds more inside now than in
    the ideal, which is then drawn in the colour of what was to be forgotten."""
    rows, heads, place = [], [], 0
    for title, name in ((SAYS, "says"), (RECOGNISES, "recognises")):
        heads.append({"y": place + 0.6, "text": title})
        place += 1
        ideal = getattr(found["retrained"], name)
        for model, label in ROWS.items():
            if model in found:
                value = getattr(found[model], name)
                more = excess and model == "after" and name == "recognises"
                over = f" ({points(value - ideal)} from the ideal)" if more else ""
                rows.append(
                    {"y": place + 0.5, "model": label, "share": value, "zero": 0.0, "asked": title,
                     "text": percent(value) + over, "ink": FORGET if more else INK,
                     "left": 2 * value > 1}
                )  # fmt: skip
                place += 1
    scale = alt.Scale(domain=[-0.16, 1.02], nice=False)
    x = alt.X("share:Q", scale=scale, axis=None)
    y = alt.Y("y:Q", scale=alt.Scale(domain=[0, place], reverse=True, nice=False), axis=None)
    base = alt.Chart(pd.DataFrame(rows))
    ink = alt.Color("ink:N", scale=None)
    told = [
        alt.Tooltip("asked:N", title="Asked"),
        alt.Tooltip("model:N", title="Network"),
        alt.Tooltip("share:Q", title="Share of the photos", format=".1%"),
    ]
    start = alt.X("zero:Q", scale=scale, axis=None)
    line = base.mark_rule(strokeWidth=2, opacity=0.7).encode(start, y, x2="share:Q", color=ink)
    point = base.mark_point(shape="diamond", size=130, filled=True, opacity=1).encode(
        x, y, color=ink, tooltip=told
    )
    name = base.mark_text(align="right", dx=-8, fontSize=13, color=INK).encode(
        start, y, text="model:N"
    )
    ends = [
        base.transform_filter(f"{sign}datum.left")
        .mark_text(align=align, baseline="bottom", dy=-5, dx=shift, fontSize=12, color=INK)
        .encode(x, y, text="text:N")
        for sign, align, shift in (("", "right", -8), ("!", "left", 8))
    ]
    head = (
        alt.Chart(pd.DataFrame(heads))
        .mark_text(align="left", fontSize=14, fontWeight="bold", color=INK)
        .encode(alt.X(value=0), y, text="text:N")
    )
    return alt.layer(line, point, name, *ends, head).properties(
        height=ROW * place, description=description
    )
