"""The same question put to the whole network, whose answer is an approximation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from ui.screens.influence.answer import SIDES, strongest
from ui.services import influence
from ui.services.influence import Answers, Explained
from ui.state import values
from ui.widgets.figures import table
from ui.widgets.working import result_of
from ui.wording import influence as words

if TYPE_CHECKING:
    from core.data.dataset import ImageDataset


def whole_network(
    model: str, data: ImageDataset, answers: Answers, index: int, found: Explained
) -> None:
    """Asks once a click, and shows both answers side by side."""
    box = st.expander("And the layers before it? Ask the whole network", key="influence-whole")
    with box:
        ids = np.concatenate([strongest(found.influence, side) for side in SIDES])
        st.markdown(
            f"The {len(ids)} photos above were found through the last layer. The influence through "
            "*all* weights can only be approximated: with the curvature of "
            f"{influence.SAMPLE} training photos and {influence.ITERATIONS} steps of conjugate "
            "gradients. No refitting can check it: that would take training the network again."
        )
        key = (model, data.name, index)
        if st.button("Ask about these photos", key="influence-ask", disabled=not len(ids)):
            work = influence.of_whole_network(model, data.name, index, ids.tolist())
            values.put("influence-all", (key, result_of(work, "Asking the whole network…")))
        done = values.get("influence-all")
        if done is None or done[0] != key or done[1] is None:
            return
        head, everywhere = found.influence[ids], done[1]
        st.markdown(words.of_whole_network(head, everywhere))
        labels = data.train_labels.numpy()
        columns = {
            "last layer, without it": -100 * head / found.loss,
            "whole network, without it": -100
            * everywhere
            / max(influence.LEAST_LOSS, float(answers.losses[index])),
        }
        rows = {"training photo": ids, "class": [data.class_names[labels[i]] for i in ids]}
        table(
            rows | columns,
            "Influence through the last layer and through all weights",
            formats=dict.fromkeys(columns, "%+.3g %%"),
        )
