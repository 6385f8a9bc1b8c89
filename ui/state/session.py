"""What a visitor's session knows, by name and type; Streamlit keeps it while the tab is open."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.data.requests import ForgetRequest
from ui.links import Draft


class Session:
    """The session's facts as attributes. `start.begin` gives each its first value."""

    draft: Draft
    """What has been set up so far; `drafts` changes it."""
    written: Draft
    """The draft that the address last said."""
    address: dict[str, str]
    """The address as it was last written or read."""
    problems: list[str]
    """Complaints about the link that was opened, a sentence each."""
    page: str
    """The title of the page on screen."""
    run: str | None
    """The run on screen."""
    photo: int | None
    """The test photo whose answer is explained."""
    jobs: list[str]
    """The runs that this session has started."""
    together: list[str]
    """The runs that were queued in one press, until all of them have been compared."""
    compare: list[str]
    """The runs ticked for comparison, in the order of ticking."""
    compare_default: list[str]
    """The runs that are ticked when the table of runs is drawn anew."""
    long: dict[str, ForgetRequest]
    """Choices too long for an address, by id."""
    owner: str
    """The token that lets this visitor stop their own runs."""

    def __getattr__(self, name: str) -> Any:
        return getattr(st.session_state, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(st.session_state, name, value)

    def __contains__(self, name: str) -> bool:
        return name in st.session_state


session = Session()
