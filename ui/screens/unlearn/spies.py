"""Every spy of a finished run: its line-up, its ROC curve, a threshold to drag, and the photos that
it is surest of."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from core.attacks.lineup import Accused, Lineup
from core.runs.lineups import lineups_of, spies_of
from core.runs.run import Run
from ui.charts import spies as charts
from ui.services import run_images
from ui.widgets.figures import draw, table
from ui.widgets.wall import Cell, wall
from ui.wording import spies as words

FIRST = 95
"""The threshold that stands there first: one new photo in twenty is accused, as in the verdict on
single photos."""
TWIN = (50, 75, 90, 95, 99)
SHOWN = 6
"""Photos of each kind that are shown."""


def spies(run: Run) -> None:
    """One spy at a time, on the network before, now, or the ideal."""
    known = spies_of(run)
    if not known:
        st.info(words.NOTHING_KEPT, icon=":material/inventory_2:")
        return
    key = f"spies-{run.id}"
    left, right = st.columns(2, gap="large", vertical_alignment="bottom")
    spy = left.selectbox("Which spy", known, format_func=words.name, key=f"{key}-which")
    lines = lineups_of(run, spy)
    model = right.segmented_control(
        "Which network",
        list(lines),
        default="after",
        required=True,
        format_func=words.WHOSE.get,
        key=f"{key}-whose",
    )
    if model not in lines:
        model = "after"
    st.caption(words.looks_at(spy))
    above = st.slider(words.THRESHOLD, 0, 100, FIRST, key=f"{key}-above", format="%d %%") / 100
    accused = lines[model].accuse(above)
    said = words.accuses(model, accused)
    _charts(lines, model, above, accused, said, key)
    st.markdown(said)
    if model == "after":
        st.markdown(words.beside_ideal(lines[model], lines.get("retrained"), above))
    _surest(run, lines[model], accused)
    st.caption(words.areas({m: getattr(run, m)[f"{spy}_auc"] for m in lines}))
    _twin(lines, key)


def _charts(
    lines: Mapping[str, Lineup], model: str, above: float, accused: Accused, said: str, key: str
) -> None:
    left, right = st.columns([3, 2], gap="large")
    plain = said.replace("*", "")
    with left:
        draw(charts.places(lines[model], above, f"The line-up. {plain}"), f"{key}-places")
    with right:
        draw(charts.roc(lines, model, accused, f"The ROC curves. {plain}"), f"{key}-roc")


def _surest(run: Run, line: Lineup, accused: Accused) -> None:
    """The photos that the threshold accuses first."""
    found = run_images.of_run(run)
    if found is None:
        st.caption("The photos are not on this machine, so those that it accuses are not shown.")
        return
    data, parts = found
    if (len(line.members), len(line.others)) != (len(parts.forget), len(parts.test_fair)):
        st.caption("This spy looks at a sample, and the record does not say of which photos.")
        return
    first, second = accused.members[:SHOWN], accused.others[:SHOWN]
    sides = (
        (first, parts.forget, data.train_images, data.train_labels, line.members[first], "new"),
        (second, parts.test_fair, data.test_images, data.test_labels, line.among_members(second),
         "forgotten"),
    )  # fmt: skip
    for place, title, (chosen, of, pixels, labels, shares, than) in zip(
        st.columns(2, gap="large"), words.surest(accused), sides, strict=True
    ):
        with place:
            st.markdown(f"##### {title}")
            names = [data.class_names[label] for label in labels.numpy()[of[chosen]]]
            said = [words.familiar(float(share), than) for share in shares]
            images = pixels.numpy()[of[chosen]]
            wall([Cell(*each) for each in zip(images, names, zip(said), strict=True)], width=190)


def _twin(lines: Mapping[str, Lineup], key: str) -> None:
    """What some thresholds do to each network, as a table."""
    box = st.expander("The curves as a table", key=f"{key}-twin", on_change="rerun")
    if not box.open:
        return
    rows = [
        (words.WHOSE[model], threshold, line.accuse(threshold / 100))
        for model, line in lines.items()
        for threshold in TWIN
    ]
    with box:
        table(
            {
                "network": [model for model, _, _ in rows],
                "accused above (%)": [threshold for _, threshold, _ in rows],
                "forgotten photos accused (TPR)": [a.found for *_, a in rows],
                "new photos accused (FPR)": [a.wrongly for *_, a in rows],
                "right (balanced accuracy)": [a.right for *_, a in rows],
            },
            "What some thresholds of this spy accuse",
            percents=(
                "forgotten photos accused (TPR)",
                "new photos accused (FPR)",
                "right (balanced accuracy)",
            ),
        )
