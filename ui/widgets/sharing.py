"""The link of a run: who may open it, and the switch by which its starter decides that."""

from __future__ import annotations

import streamlit as st

from core.errors import LabError
from ui import outside
from ui.services import jobs
from ui.state import address, values
from ui.state.session import session
from ui.widgets.errors import say
from ui.widgets.frame import COMPARE
from ui.wording import hosting


def link_of(id: str) -> str:
    """Shows the link of a run that is saved, and gives it; "" where only its owner sees the run."""
    if outside.hosted() and jobs.owned(id, session.owner) and not _shared(id):
        st.caption(hosting.PRIVATE)
        return ""
    link = address.share_link(with_draft=False, run=id)
    st.code(link, language=None, wrap_lines=True)
    st.caption(hosting.SHARED)
    return link


def _shared(id: str) -> bool:
    """The switch, as it stands."""
    key = f"shared-{id}"
    st.toggle(
        "Share this run by its link",
        value=jobs.is_shared(id),
        key=key,
        on_change=lambda: _set(id, bool(values.get(key))),
    )
    return jobs.is_shared(id)


def _set(id: str, shared: bool) -> None:
    try:
        jobs.set_shared(id, session.owner, shared)
    except LabError as error:
        say(error)


def still_private(ids: list[str]) -> int:
    """How many of these runs nobody but this visitor sees."""
    if not outside.hosted():
        return 0
    return sum(jobs.owned(id, session.owner) and not jobs.is_shared(id) for id in ids)


def delete_button(id: str) -> None:
    """Deletes a run, for the one who started it, after a second look."""
    if not jobs.owned(id, session.owner):
        return
    with st.popover("Delete this run", icon=":material/delete:"):
        st.markdown("Its result will be gone, for whoever has its link too.")
        if st.button("Delete it", key=f"delete-{id}", type="primary"):
            try:
                jobs.delete(id, session.owner)
            except LabError as error:
                say(error)
                return
            session.run = None
            session.compare = [other for other in session.compare if other != id]
            st.switch_page(COMPARE)
