"""The glossary, with a place in it for each term that other screens can link to."""

from __future__ import annotations

import streamlit as st

from ui.wording.glossary import ENTRIES


def glossary() -> None:
    """All terms, two to a row."""
    st.subheader("The words", anchor="glossary")
    half = -(-len(ENTRIES) // 2)
    for place, entries in zip(
        st.columns(2, gap="large"), (ENTRIES[:half], ENTRIES[half:]), strict=True
    ):
        with place:
            for entry in entries:
                # The anchor of a heading in Markdown is made from its text, as `Entry.anchor` is.
                st.markdown(f"###### {entry.term}")
                field = f"*{entry.field[:1].upper()}{entry.field[1:]}.* " if entry.field else ""
                st.markdown(field + entry.text)
