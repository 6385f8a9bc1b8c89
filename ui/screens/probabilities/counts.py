"""A model that counts: what was taken away, and that nothing is left of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import streamlit as st

from ui.charts import digits
from ui.charts.trees import pixel_tree
from ui.widgets.figures import draw, table
from ui.wording import probabilities as words

if TYPE_CHECKING:
    from core.graphical.forgetting import Forgotten
    from core.graphical.model import PixelModel

WHICH = "probabilities-class"


def take_away(done: Forgotten) -> None:
    """The sentence that a visitor leaves with, beside it the numbers with intervals."""
    st.markdown(f"#### {words.headline(done)}")
    said, measured = st.columns([2, 3], gap="large")
    with said:
        st.markdown(words.takeaway(done))
    with measured:
        table(words.rows(done), f"{done.task.model.label}: before, after and retrained")


def pixels(done: Forgotten) -> None:
    """A digit as the model has it, before and after, and the ink that was taken away."""
    st.subheader("What was in the books")
    names = done.task.dataset.class_names
    before, after = (cast("PixelModel", done.models[which]) for which in ("before", "after"))
    gone = before.ink - after.ink
    lost = np.bincount(done.task.forget.labels, minlength=len(names))
    name = st.segmented_control(
        "The digit",
        names,
        default=names[int(lost.argmax())],
        required=True,
        key=f"{WHICH}-{done.task.split.digest}",
    )
    c = names.index(name)
    panels = (
        ("Before", before.average[c], "ink, average of its images", 1.0, False),
        ("After", after.average[c], "ink, average of its images", 1.0, False),
        ("Taken away", gone[c], "ink, in all images together", max(int(gone[c].max()), 1), True),
    )
    for place, (title, shown, unit, most, forget) in zip(st.columns(3), panels, strict=True):
        with place:
            st.markdown(f"##### {title}")
            text = words.picture(title, name, shown, unit)
            draw(digits.pixels(shown, unit, most, text, forget), f"pixels-{title}", width="content")
    st.markdown(words.changed(done, name, int(lost[c])))
    with st.expander("The counts of this digit as a table"):
        rows = {"pixel": np.arange(64), "before": before.ink[c], "after": after.ink[c]}
        table(rows | {"taken away": gone[c]}, "Ink by pixel, before and after")


def trees(done: Forgotten) -> None:
    """The learned tree before and after, where the model has trees: both, and what differs."""
    pairs = done.trees
    if not pairs:
        return
    st.subheader("The tree that it learned")
    st.markdown(words.trees(pairs))
    pair = pairs[0]
    if len(pairs) > 1:
        names = [pair.of for pair in pairs]
        most = max(pairs, key=lambda pair: len(pair.lost | pair.new))
        chosen = st.segmented_control(
            "The tree of the digit",
            names,
            default=most.of,
            required=True,
            key=f"probabilities-tree-{done.task.split.digest}",
        )
        pair = pairs[names.index(chosen)]
    sides = {"Before": (pair.before, pair.lost), "After": (pair.after, pair.new)}
    for place, (title, (edges, different)) in zip(st.columns(2), sides.items(), strict=True):
        with place:
            st.markdown(f"##### {title}")
            text = words.tree(title, len(edges), len(different))
            chart = pixel_tree(edges.tolist(), different, title == "Before", text)
            draw(chart, f"tree-{title}", width="content")
            st.caption(text)
    with st.expander("The edges that differ as a table"):
        rows = [(*edge, "gone") for edge in sorted(pair.lost)]
        rows += [(*edge, "new") for edge in sorted(pair.new)]
        columns = ("pixel", "and pixel", "edge")
        table({name: [row[i] for row in rows] for i, name in enumerate(columns)}, "Edges")
