"""The glossary, with a place in it for each term that other screens can link to."""

from __future__ import annotations

import streamlit as st

from ui.wording.glossary import ENTRIES


def glossary() -> None:
    """All terms, in three columns."""
    st.subheader("The words", anchor="glossary")
    third = -(-len(ENTRIES) // 3)
    for first, place in enumerate(st.columns(3, gap="medium")):
        with place:
            for entry in ENTRIES[first * third : (first + 1) * third]:
                # The anchor of a heading in Markdown is made from its text, as `Entry.anchor` is.
                st.markdown(f"###### {entry.term}")
                field = f"*{entry.field[:1].upper()}{entry.field[1:]}.* " if entry.field else ""
                st.caption(field + entry.text)
