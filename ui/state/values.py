"""The values of widgets, and what a screen remembers beside them, by key."""

from __future__ import annotations

from typing import Any

import streamlit as st


def get(key: str, default: Any = None) -> Any:
    """The value under a key."""
    return st.session_state.get(key, default)


def has(key: str) -> bool:
    """Whether there is a value under a key."""
    return key in st.session_state


def put(key: str, value: Any) -> None:
    """Sets a value; a widget's only before it is drawn."""
    st.session_state[key] = value


def first(key: str, value: Any) -> Any:
    """Sets a value where there is none yet; gives the one that is there."""
    return st.session_state.setdefault(key, value)


def take(key: str, default: Any = None) -> Any:
    """Removes a value and gives it."""
    return st.session_state.pop(key, default)
