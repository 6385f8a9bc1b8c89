"""The token of a visitor, and the cookie in which their browser keeps it."""

from __future__ import annotations

import re
import secrets

import streamlit as st

from ui.state import values
from ui.state.session import session

COOKIE = "forgetting_lab_owner"
"""What lets a browser find its own runs again, and stop them, after a reload. An address neither
carries this token nor sets it: whoever has a link has no right with it."""
TOKEN = re.compile(r"[0-9a-f]{24}")
_owner_cookie = st.components.v2.component(
    "forgetting_lab_owner",
    js="""
export default function ({ data, parentElement, setStateValue }) {
  const found = document.cookie.match(`(?:^|; )${data.name}=([0-9a-f]{24})(?:;|$)`)
  if (!found) {
    const secure = location.protocol === "https:" ? "; Secure" : ""
    document.cookie = `${data.name}=${data.token}; path=/; SameSite=Strict${secure}`
  } else if (found[1] !== data.token && parentElement.dataset.told !== found[1]) {
    // Another tab was first: both are the same visitor.
    parentElement.dataset.told = found[1]
    setStateValue("token", found[1])
  }
}
""",
)


def token() -> str:
    """The token that the browser has kept, else a new one."""
    kept = st.context.cookies.get(COOKIE)
    return kept if _is_token(kept) else secrets.token_hex(12)


def address() -> str:
    """Where on the network this visitor is, "" where nobody knows: for quotas, never for rights.

    Streamlit's server believes a proxy's X-Forwarded-For where it runs on this machine, or where
    FORWARDED_ALLOW_IPS names it; a header that a visitor sends counts for nothing.
    """
    from core.runs.admission import network_of

    return network_of(st.context.ip_address)


def _is_token(value: object) -> bool:
    """Whether what a browser sent can be a token; anything can stand there."""
    return isinstance(value, str) and bool(TOKEN.fullmatch(value))


def keep() -> None:
    """Puts the session's token into the browser, or takes the one that another tab put there."""
    told = (values.get("owner-cookie") or {}).get("token")
    if _is_token(told) and not session.jobs:
        session.owner = told
    _owner_cookie(
        key="owner-cookie",
        data={"name": COOKIE, "token": session.owner},
        on_token_change=lambda: None,
        width="content",
    )
