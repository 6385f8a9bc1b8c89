"""What was found, question by question: a sentence, a chart, and its table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from core.data.dataset import ImageDataset
from core.data.splits import Split
from ui.charts import networks
from ui.services import robustness
from ui.widgets.figures import draw, table
from ui.widgets.wall import Cell, wall
from ui.wording import robustness as words

Found = dict[str, Any]
RIGHT = "Right about the photos"
AS_THEY_ARE = "as they are"
LEGEND = "○ before · ◆ now · ❙ ideal"


def corruptions(found: Found, data: ImageDataset, parts: Split) -> None:
    """All six as rows, and one of them by strength, with a photo."""
    names = robustness.corruption_names()
    said = words.corruptions(found, names)
    st.markdown(said)
    left, right = st.columns(2, gap="large")
    with left:
        rows = {AS_THEY_ARE: words.known(found["clean"])}
        rows |= {label: _mean(found[name]) for name, label in names.items()}
        title = f"{RIGHT}, all strengths"
        draw(networks.shares(rows, title, _spoken(said)), "robustness-corruptions")
        st.caption(f"{LEGEND}, of {found['images']:,} new photos.")
    with right:
        name = st.selectbox(
            "One of them, by strength",
            list(names),
            list(names).index(words.furthest(found, names)[0]),
            format_func=names.get,
            key="robustness-which-corruption",
        )
        by_strength = [found["clean"], *found[name]]
        values = {
            model: [words.value(row, model) for row in by_strength]
            for model in words.known(found["clean"])
        }
        chart = networks.lines(
            values, range(len(by_strength)), "Strength", RIGHT, f"By strength: {names[name]}"
        )
        draw(chart, "robustness-strengths")
    pictures = robustness.example(data.name, name, data, parts)
    labels = [AS_THEY_ARE, *(f"strength {k}" for k in range(1, len(pictures)))]
    wall([Cell(*each) for each in zip(pictures, labels, strict=True)], width=150)
    rows_of = [(AS_THEY_ARE, found["clean"]), ("mean over all", found["mean"])]
    rows_of += [
        (f"{label}, strength {k}", row)
        for kind, label in names.items()
        for k, row in enumerate(found[kind], 1)
    ]
    _twin(rows_of, "corruptions")


def adversarial(found: Found) -> None:
    """As they are, after one step and after twenty."""
    said = words.adversarial(found)
    st.markdown(said)
    rows = {AS_THEY_ARE: "clean", "one step (FGSM)": "fgsm", "twenty steps (PGD)": "pgd"}
    shares = {label: words.known(found[name]) for label, name in rows.items()}
    draw(networks.shares(shares, RIGHT, _spoken(said)), "robustness-adversarial")
    st.caption(f"{LEGEND}, of {found['images']:,} new photos.")
    _twin([(label, found[name]) for label, name in rows.items()], "adversarial")


def relearning(found: Found) -> None:
    """The two curves of one lesson."""
    lesson = st.segmented_control(
        "What it is trained on",
        list(words.LESSONS),
        default="retained",
        required=True,
        format_func=words.LESSONS.get,
        key="robustness-lesson",
    )
    said = words.relearning(found, lesson)
    st.markdown(said)
    curves = found["curves"][lesson]
    known = {"after": curves["after"], "retrained": curves["ideal"]}
    known = {model: curve for model, curve in known.items() if curve}
    values = {m: [a["value"] for a in curve["accuracies"]] for m, curve in known.items()}
    bands = {m: [(a["low"], a["high"]) for a in curve["accuracies"]] for m, curve in known.items()}
    steps = curves["after"]["steps"]
    title = "Right about other forgotten photos"
    chart = networks.lines(values, steps, "Steps of training on", title, _spoken(said), bands)
    draw(chart, "robustness-relearning")
    st.caption("Pale: the 95 % interval of each curve.")
    box = st.expander("The same as a table", key="relearning-twin", on_change="rerun")
    if box.open:
        columns = {networks.NAMES[model]: shares for model, shares in values.items()}
        with box:
            table({"step": steps, **columns}, "How fast it comes back", percents=columns)


def _mean(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Over the strengths, by model."""
    known = [words.known(row) for row in rows]
    return {model: float(np.mean([row[model] for row in known])) for model in known[0]}


def _twin(rows: Sequence[tuple[str, dict[str, Any]]], name: str) -> None:
    box = st.expander("The same as a table", key=f"{name}-twin", on_change="rerun")
    if box.open:
        columns = words.table(rows)
        with box:
            table(columns, f"{words.QUESTIONS[name][0]}, in numbers", percents=list(columns)[1:])


def _spoken(said: str) -> str:
    return said.replace("*", "")
