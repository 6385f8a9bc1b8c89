"""What the anchor gives back, if it was measured."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.errors import LabError
from ui.services import shipped
from ui.widgets.errors import say
from ui.widgets.figures import table
from ui.wording import anchor


def finding() -> None:
    """The sentence on the anchor, if it was measured, and its numbers as a table."""
    try:
        rows = shipped.anchor_rows()
        text = anchor.finding(rows)
    except LabError as error:
        say(error)
        return
    if not text:
        return
    with st.container(border=True, key="story-finding"):
        st.markdown(f"##### {anchor.QUESTION}")
        st.markdown(text)
        st.caption(
            "The class automobile of CIFAR-10 was forgotten. The anchor penalises the distance to "
            "the original weights (anchored fine-tuning). Measured by benchmarks/story.py."
        )
        with st.expander("The same as a table"):
            shown = pd.DataFrame(anchor.table(rows))
            table(shown, "What the anchor and a lower rate give back", percents=shown.columns[2:])
