"""The database of runs that Streamlit's secrets name, where the environment names none."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import streamlit as st

NAME = "forgetting_lab"
"""Of the section [connections.forgetting_lab] in secrets.toml; written as for `st.connection`."""


def database() -> str | None:
    """A SQLAlchemy address; None where `FORGETTING_LAB_DATABASE` or the default holds."""
    if os.environ.get("FORGETTING_LAB_DATABASE") or not st.secrets.load_if_toml_exists():
        return None
    said: Mapping[str, Any] = st.secrets.get("connections", {}).get(NAME, {})
    if "url" in said:
        return str(said["url"])
    if "dialect" not in said:
        return None
    from sqlalchemy import URL

    driver = f"+{said['driver']}" if "driver" in said else ""
    parts = ("username", "password", "host", "port", "database", "query")
    address = URL.create(
        f"{said['dialect']}{driver}", **{part: said[part] for part in parts if part in said}
    )
    return address.render_as_string(hide_password=False)
