"""The charts as specifications: what stands on which axis, in which colour, over which domain."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from core.metrics.histogram import BINS
from tests.app import fakes
from ui.charts import classes, digits, histograms, over_steps, palette, trees


def spec(chart) -> dict:
    return chart.to_dict()


def test_histogram_fixes_domains_and_colours() -> None:
    found = spec(
        histograms.histogram(fakes.losses(500, 0.99, 1), fakes.losses(500, 0.87, 2), 0.9, "words")
    )
    assert found["description"] == "words"
    fill, outline = found["layer"]
    for layer in (fill, outline):
        assert layer["encoding"]["x"]["scale"]["domain"] == [
            pytest.approx(1e-5),
            pytest.approx(30.0),
        ]
        assert layer["encoding"]["x"]["scale"]["type"] == "log"
        assert layer["encoding"]["y"]["scale"]["domain"] == [0.0, 0.9]
        assert layer["encoding"]["y"]["stack"] is None
        assert layer["encoding"]["color"]["scale"] == {
            "domain": list(histograms.SETS),
            "range": ["#D55E00", "#0072B2"],
        }
    assert fill["encoding"]["opacity"]["scale"]["range"] == [0.55, 0.55]
    assert outline["encoding"]["strokeDash"]["scale"]["range"] == [[1, 0], [5, 3]]


def test_bars_add_up_and_keep_what_lies_beyond() -> None:
    rows = histograms.histogram_rows({"a": np.array([0.1, 29.0, 99.0, np.inf], "float32")})
    bars = rows[rows["left"] < rows["right"]]
    assert bars["share"].sum() == pytest.approx(1)
    assert bars["share"].iloc[-1] == pytest.approx(0.75)
    assert len(rows) == len(BINS)


def test_the_y_axis_holds_the_fullest_bin() -> None:
    assert histograms.top_share(np.zeros(3, "float32")) == 1.0
    half = np.array([0.01, 0.01, 0.1, 1.0], "float32")
    assert histograms.top_share(half) == 0.5
    assert histograms.top_share(np.geomspace(1e-5, 30, 400).astype("float32")) == 0.2


def test_overlaid_keeps_the_sets_colour() -> None:
    a = fakes.losses(100, 0.9, 1)
    found = spec(histograms.overlaid(("x", a), ("y", a), palette.TEST, 1.0, "words"))
    scale = found["layer"][1]["encoding"]["color"]["scale"]
    assert scale == {"domain": ["A: x", "B: y"], "range": [palette.TEST, palette.TEST]}


def test_line_has_the_whole_runs_axis() -> None:
    found = spec(over_steps.line([1, 2], [0.5, 0.4], 40, "Loss", "words"))
    assert found["layer"][0]["encoding"]["x"]["scale"]["domain"] == [0, 40]


def test_class_counts_use_forget_and_retain() -> None:
    found = spec(classes.class_counts(["a", "b"], [1, 0], [5, 5], "words"))
    assert found["encoding"]["color"]["scale"]["range"] == ["#D55E00", "#009E73"]
    assert found["encoding"]["x"]["scale"]["domain"] == [0, 5]


def test_edges_that_differ_are_coloured_and_long_ones_are_bent() -> None:
    found = spec(trees.pixel_tree([[0, 1], [0, 3]], {(0, 3)}, True, "words"))
    lines, _ = found["layer"]
    scale = lines["encoding"]["color"]["scale"]
    assert scale == {"domain": ["in both", "gone afterwards"], "range": ["#767676", "#D55E00"]}
    rows = found["datasets"][lines["data"]["name"]]
    straight = [row for row in rows if row["edge"] == "in both"]
    bent = [row for row in rows if row["edge"] == "gone afterwards"]
    assert [(row["x"], row["y"]) for row in straight] == [(0, 0), (1, 0)]
    assert (bent[0]["x"], bent[-1]["x"]) == (0, 3)
    assert max(row["y"] for row in bent) == pytest.approx(0.3)


def test_pixels_stand_at_their_places() -> None:
    found = spec(digits.pixels(range(64), "ink", 63, "words", forget=True))
    rows = found["datasets"][found["data"]["name"]]
    assert rows[10] == {"row": 1, "column": 2, "value": 10}
    assert found["encoding"]["color"]["scale"]["range"][1] == palette.FORGET


def test_pure_modules_import_no_streamlit() -> None:
    files = [*Path("ui/charts").glob("*.py"), *Path("ui/wording").glob("*.py")]
    assert len(files) > 10
    for file in (*files, Path("ui/links.py"), Path("ui/report.py")):
        tree = ast.parse(file.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert all(not alias.name.startswith("streamlit") for alias in node.names)
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("streamlit")
