"""What stands at the foot of the page, whatever is chosen."""

from __future__ import annotations

from typing import NoReturn

import streamlit as st

from ui.widgets import anchor


def leave() -> NoReturn:
    """Ends the page with its foot."""
    anchor.finding()
    st.stop()
