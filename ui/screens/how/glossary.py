"""The glossary, with a place in it for each term that other screens can link to."""

from __future__ import annotations

import streamlit as st

from ui.wording.glossary import ENTRIES


def glossary() -> None:
    """All terms, in four columns."""
    st.subheader("The words", anchor="glossary")
    quarter = -(-len(ENTRIES) // 4)
    for first, place in enumerate(st.columns(4, gap="medium")):
        with place:
            for entry in ENTRIES[first * quarter : (first + 1) * quarter]:
                # The anchor of a heading in Markdown is made from its text, as `Entry.anchor` is.
                st.markdown(f"###### {entry.term}")
                field = f"*{entry.field[:1].upper()}{entry.field[1:]}.* " if entry.field else ""
                st.caption(field + entry.text)
