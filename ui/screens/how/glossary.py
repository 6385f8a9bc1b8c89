"""The glossary, with a place in it for each term that other screens can link to."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ui.wording.glossary import ENTRIES, Entry

HEADING = 80
"""A heading takes as much room as so many letters of text."""


def glossary() -> None:
    """All terms, in four columns."""
    st.subheader("The words", anchor="glossary")
    for place, entries in zip(st.columns(4, gap="medium"), columns(ENTRIES, 4), strict=True):
        with place, st.container(gap="xxsmall"):
            for entry in entries:
                # The anchor of a heading in Markdown is made from its text, as `Entry.anchor` is.
                st.markdown(f"###### {entry.term}")
                field = f"*{entry.field[:1].upper()}{entry.field[1:]}.* " if entry.field else ""
                st.caption(field + entry.text)


def columns(entries: Sequence[Entry], count: int) -> list[list[Entry]]:
    """The entries in their order, in columns about as long as each other."""
    sizes = [HEADING + len(entry.field + entry.text) for entry in entries]
    whole, passed = sum(sizes), 0.0
    found: list[list[Entry]] = [[] for _ in range(count)]
    for entry, size in zip(entries, sizes, strict=True):
        found[min(count - 1, int((passed + size / 2) * count / whole))].append(entry)
        passed += size
    return found
