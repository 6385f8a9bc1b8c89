"""Histograms of losses, always in the same 40 bins, so that any two can be compared.

The end of the y axis is given by the caller, so that charts side by side and the frames of a live
chart share it.
"""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from core.metrics.histogram import BINS, density
from core.metrics.measures import Losses
from ui.charts.palette import FORGET, HEIGHT, TEST

SETS = ("Images to forget", "Test images (never seen)")
MATCHED_SETS = ("Images to forget", "Test images, same classes")
DASHES: list[list[int]] = [[1, 0], [5, 3]]
OPACITY = 0.55


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
        y=up("Share of the images", top),
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


def up(title: str, top: float) -> alt.Y:
    """The axis of shares, 0 to `top`; of two sets each by itself, not one on the other."""
    return alt.Y(
        "share:Q",
        title=title,
        stack=None,
        axis=alt.Axis(format="%", tickCount=5),
        scale=alt.Scale(domain=[0.0, top], nice=False),
    )
