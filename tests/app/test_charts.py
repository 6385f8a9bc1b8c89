"""The charts as specifications: what stands on which axis, in which colour, over which domain."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from core.metrics.histogram import BINS
from tests.app import fakes
from ui.charts import classes, histograms, over_steps, palette


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
