"""What holds where strangers can open the app, and what the server has to be like for it."""

from __future__ import annotations

import streamlit as st

from core.errors import BadRequest, LabError
from core.runs.limits import LOCAL, Limits
from core.runs.plan import Plan
from ui import outside

PROTECTIONS = ("server.enableXsrfProtection", "server.enableCORS")
"""Without the second any other site could open a visitor's session, cookie and all."""


def limits() -> Limits:
    """What visitors may use. Raises BadSetting."""
    return Limits.from_environment() if outside.hosted() else LOCAL


def check_server() -> None:
    """Raises LabError for a server that strangers can open and other sites can reach through."""
    missing = [name for name in PROTECTIONS if not st.get_option(name)]
    if outside.hosted() and missing:
        raise LabError(
            f"This server is open to strangers, and its protection {missing[0]} is off.",
            "Whoever runs it has to turn it on in .streamlit/config.toml.",
        )


def refusal(plan: Plan) -> str:
    """Why this server takes no such plan from anybody, "" where it does. Imports torch."""
    from core.runs.admission import check_plan

    try:
        check_plan(plan, limits())
    except BadRequest as error:
        return str(error)
    return ""
