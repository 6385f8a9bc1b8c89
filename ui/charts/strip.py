"""The forgetting strip: one row a question, the ideal always in the middle.

Wide, the numbers stand beside the question, above its row; on a narrow screen below it. All text is
in the colour of the text around the chart, so that it is as readable as that in every theme.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from ui.charts.palette import FORGET, INK
from ui.wording.strip import Row

ROW, HEADER = 56, 36
"""Heights in pixels: four rows and the header are 260."""
NARROW = "width < 560"
LINE = 0.47
"""Where a row's marks stand, of its height."""
SMALL = 12


TITLE = 0.5
"""Of a row's height, for the question above the runs that are compared in it."""


Spec = dict[str, Any]
"""Vega-Lite."""


def strip(rows: Sequence[Row], description: str) -> Spec:
    """The strip of one model. description: what it shows, for who cannot see it."""
    return stacked([("", [row]) for row in rows], description)


def stacked(groups: Sequence[tuple[str, Sequence[Row]]], description: str) -> Spec:
    """The strips of several models: of each question, its title ("" for none) and a row a model,
    all to one scale."""
    marks, titles, seeds, top = [], [], [], 0.0
    for title, rows in groups:
        if title:
            titles.append({"y": top + TITLE, "title": title})
            top += TITLE
        half = max(row.half for row in rows)
        for row in rows:
            marks.append(_marks(row, top, half))
            seeds += [{"seed": row.at(seed, half), "y": top + LINE} for seed in row.seeds]
            top += 1
    spec: Spec = copy.deepcopy(_template(top, bool(titles), bool(seeds)))
    spec["datasets"] |= {"rows": marks, "titles": titles, "seeds": seeds}
    return {**spec, "description": description}


@functools.lru_cache(maxsize=32)
def _template(height: float, titled: bool, seeded: bool) -> Spec:
    """The strip without its rows: Altair takes a third of a second to make it, and a live view
    draws it twice a second. height: of all rows, in rows."""
    chart = _layers(height, titled, seeded).properties(height=round(HEADER + ROW * height))
    made: Spec = chart.to_dict()
    return made


def _layers(height: float, titled: bool, seeded: bool) -> alt.LayerChart:
    x = alt.Scale(domain=[-1.04, 1.04], nice=False)
    y = alt.Scale(domain=[-HEADER / ROW, height], reverse=True, nice=False)

    def across(field: str) -> alt.X:
        return alt.X(f"{field}:Q", scale=x, axis=None)

    def down(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", scale=y, axis=None)

    base = alt.Chart(alt.NamedData("rows"))
    before = base.transform_filter("isValid(datum.before)")
    both = before.transform_filter("isValid(datum.now)")
    ideal = alt.Chart(pd.DataFrame({"x": [0.0], "top": [-0.02], "bottom": [height]}))
    marks = [
        base.mark_rect(color=INK, opacity=0.16).encode(
            across("low"), down("top"), x2="high:Q", y2="bottom:Q"
        ),
        ideal.mark_rule(strokeDash=[4, 4], color=INK, opacity=0.7).encode(
            across("x"), down("top"), y2="bottom:Q"
        ),
        both.mark_rule(color=INK, opacity=0.7, strokeWidth=2).encode(
            across("before"), down("y"), x2="now:Q"
        ),
        before.mark_point(size=110, strokeWidth=2, color=INK, opacity=0.75, filled=False).encode(
            across("before"), down("y"), tooltip=_told()
        ),
        base.transform_filter("isValid(datum.now)")
        .mark_point(shape="diamond", size=170, strokeWidth=2.5, opacity=1)
        .encode(
            across("now"),
            down("y"),
            stroke=alt.Stroke("ink:N", scale=None),
            fill=alt.Fill("fill:N", scale=None),
            tooltip=_told(),
        ),
    ]
    if seeded:
        dots = alt.Chart(alt.NamedData("seeds")).mark_circle(size=34, color=INK, opacity=0.9)
        marks.append(dots.encode(across("seed"), down("y")))
    if titled:
        title = alt.Chart(alt.NamedData("titles")).mark_text(
            align="left", baseline="bottom", fontSize=15, fontWeight="bold", color=INK
        )
        marks.append(title.encode(alt.X(value=0), down("y"), text="title:N"))
    return alt.layer(*marks, *_texts(base, down, bold=not titled), *_ends(down))


def _marks(row: Row, top: float, half: float) -> dict[str, Any]:
    """Where the marks of a row stand, across from -1 to 1, down in rows from `top`."""
    ink = INK if row.place in ("at the ideal", "cannot tell") else FORGET
    width = min(1.0, row.band / half)
    return {
        "label": row.label,
        "term": row.term,
        "numbers": row.numbers,
        "reading": row.reading,
        "before": None if row.before is None else row.at(row.before, half),
        "now": None if row.now is None else row.at(row.now, half),
        "low": -width,
        "high": width,
        "y": top + LINE,
        "top": top + LINE - 0.16,
        "bottom": top + LINE + 0.16,
        "ink": ink,
        "fill": "transparent" if row.estimating else ink,
    }


def _told() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("label:N", title="Question"),
        alt.Tooltip("numbers:N", title="Now"),
        alt.Tooltip("reading:N", title="Reading"),
        alt.Tooltip("term:N", title="Measured as"),
    ]


def _texts(base: alt.Chart, down: Any, bold: bool) -> list[alt.Chart]:
    """The question above its row; the numbers beside it, or on a narrow screen below."""
    named = base.transform_calculate(
        question=f"{NARROW} || !datum.term ? datum.label : datum.label + ' (' + datum.term + ')'"
    )
    question = named.mark_text(
        align="left",
        baseline="bottom",
        dy=-11,
        fontSize=14,
        fontWeight="bold" if bold else "normal",
        color=INK,
    ).encode(alt.X(value=0), down("y"), text="question:N")
    numbers = base.mark_text(
        align=alt.expr(f"{NARROW} ? 'left' : 'right'"),  # type: ignore[arg-type]
        baseline="bottom",
        dx=alt.expr(f"{NARROW} ? -width : 0"),
        dy=alt.expr(f"{NARROW} ? 24 : -11"),
        fontSize=alt.expr(f"{NARROW} ? {SMALL} : 14"),
        color=INK,
    ).encode(alt.X(value="width"), down("y"), text="numbers:N")
    return [question, numbers]


def _ends(down: Any) -> list[alt.Chart]:
    """What left, middle and right mean."""
    said = {"left": "◄ forgot too much", "center": "ideal", "right": "still there ►"}
    places = {
        "left": alt.X(value=0),
        "center": alt.X("x:Q", axis=None),
        "right": alt.X(value="width"),
    }
    found = []
    for align, text in said.items():
        spot = alt.Chart(pd.DataFrame({"x": [0.0], "y": [-0.14], "text": [text]}))
        found.append(
            spot.mark_text(
                align=align,
                baseline="bottom",
                fontSize=SMALL,
                color=INK,  # type: ignore[arg-type]
            ).encode(places[align], down("y"), text="text:N")
        )
    return found
