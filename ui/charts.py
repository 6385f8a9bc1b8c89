"""The charts: pure functions from numbers to Altair, without Streamlit.

Colour means one thing everywhere: forget, test, retain. Losses are binned here, always into the
same 40 bins, so that any two charts can be compared; the end of the y axis is given by the caller,
so that charts side by side and the frames of a live chart share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from core.metrics.histogram import BINS, density
from core.metrics.measures import Losses, Measure
from ui.wording import SHORT, known

FORGET, TEST, RETAIN, NEUTRAL = "#D55E00", "#0072B2", "#009E73", "#767676"
SETS = ("Images to forget", "Test images (never seen)")
MATCHED_SETS = ("Images to forget", "Test images, same classes")
DASHES: list[list[int]] = [[1, 0], [5, 3]]
OPACITY = 0.55
HEIGHT = 320


def top_share(*losses: Losses) -> float:
    """The end of the y axis: the fullest bin's share, rounded up to a tenth, at least 0.2."""
    fullest = max((float(density(x).max()) for x in losses if len(x)), default=0.0)
    return min(1.0, max(0.2, float(np.ceil(fullest * 10 - 1e-9) / 10)))


def histogram_rows(series: dict[str, Losses]) -> pd.DataFrame:
    """Rows (left, right, share, set), one a bin and set; the last repeats at its right edge."""
    frames = []
    for name, losses in series.items():
        shares = density(losses)
        frames.append(
            pd.DataFrame(
                {
                    "left": BINS,
                    "right": np.append(BINS[1:], BINS[-1]),
                    "share": np.append(shares, shares[-1]),
                    "set": name,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def histogram(
    forget: Losses, test: Losses, top: float, description: str, matched: bool = False
) -> alt.LayerChart:
    """Two overlapping loss densities. top: the end of the y axis, a share of the images. matched:
    whether the test images are of the forgotten ones' classes."""
    names = MATCHED_SETS if matched else SETS
    rows = histogram_rows(dict(zip(names, (forget, test), strict=True)))
    return _steps(rows, names, (FORGET, TEST), DASHES, top, description, HEIGHT)


def overlaid(
    first: tuple[str, Losses],
    second: tuple[str, Losses],
    color: str,
    top: float,
    description: str,
) -> alt.LayerChart:
    """The same kind of images in two runs: one colour (it means the set), told apart by outline."""
    names = (f"A: {first[0]}", f"B: {second[0]}")
    rows = histogram_rows({names[0]: first[1], names[1]: second[1]})
    return _steps(rows, names, (color, color), DASHES, top, description, HEIGHT, (0.5, 0.1))


def _steps(
    rows: pd.DataFrame,
    names: Sequence[str],
    colors: Sequence[str],
    dashes: list[list[int]],
    top: float,
    description: str,
    height: int,
    opacities: tuple[float, float] = (OPACITY, OPACITY),
) -> alt.LayerChart:
    domain = list(names)
    legend = alt.Legend(
        title=None,
        orient="top",
        direction="vertical",
        symbolType="stroke",
        symbolSize=300,
        symbolOpacity=1,
        labelLimit=400,
    )
    base = alt.Chart(rows).encode(
        x=alt.X(
            "left:Q",
            title="Loss: how surprised it is (log scale)",
            axis=alt.Axis(values=[0.0001, 0.01, 1], format="~g", labelOverlap=False),
            scale=alt.Scale(domain=[float(BINS[0]), float(BINS[-1])], nice=False, type="log"),
        ),
        y=alt.Y(
            "share:Q",
            title="Share of the images",
            stack=None,
            axis=alt.Axis(format="%", tickCount=5),
            scale=alt.Scale(domain=[0.0, top], nice=False),
        ),
        color=alt.Color("set:N", scale=alt.Scale(domain=domain, range=list(colors)), legend=legend),
        tooltip=[
            alt.Tooltip("set:N", title="Images"),
            alt.Tooltip("left:Q", title="Loss from", format=".2~g"),
            alt.Tooltip("right:Q", title="to", format=".2~g"),
            alt.Tooltip("share:Q", title="Share", format=".1%"),
        ],
    )
    fill = base.mark_area(interpolate="step-after", line=False, clip=True).encode(
        opacity=alt.Opacity(
            "set:N", scale=alt.Scale(domain=domain, range=list(opacities)), legend=None
        ),
    )
    outline = base.mark_line(interpolate="step-after", strokeWidth=2, clip=True).encode(
        strokeDash=alt.StrokeDash(
            "set:N", scale=alt.Scale(domain=domain, range=dashes), legend=legend
        )
    )
    return alt.layer(fill, outline).properties(height=height, description=description)


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


def class_counts(
    names: Sequence[str], forget: Sequence[int], totals: Sequence[int], description: str
) -> alt.Chart:
    """How many images of each class are to be forgotten and kept."""
    rows = pd.DataFrame(
        [
            {"class": name, "part": part, "images": int(count)}
            for name, chosen, total in zip(names, forget, totals, strict=True)
            for part, count in (("forget", chosen), ("keep", total - chosen))
        ]
    )
    return (
        alt.Chart(rows)
        .mark_bar()
        .encode(
            x=alt.X(
                "images:Q",
                title="Training images",
                scale=alt.Scale(domain=[0, int(max(totals))], nice=False),
            ),
            y=alt.Y("class:N", title=None, sort=list(names), axis=alt.Axis(labelOverlap=False)),
            color=alt.Color(
                "part:N",
                scale=alt.Scale(domain=["forget", "keep"], range=[FORGET, RETAIN]),
                legend=alt.Legend(title=None, orient="top"),
            ),
            order=alt.Order("part:N"),
            tooltip=["class:N", "part:N", alt.Tooltip("images:Q", format=",")],
        )
        .properties(height=100 + 22 * len(names), description=description)
    )
