"""An error as a visitor sees it."""

from __future__ import annotations

import logging

import streamlit as st

from core.errors import LabError
from ui import outside


def say(error: LabError) -> None:
    """What happened and what helps; the traceback goes to the log."""
    logging.getLogger(__name__).warning("shown to a visitor", exc_info=error)
    st.error(outside.plain(error), icon=":material/error:")
