"""How the session meets the address bar.

An address that says something else than the page last wrote wins over the draft (a link was opened,
or the browser went back); after that the session is the truth and the address follows. Widgets show
the draft, their callbacks change it.
"""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from core.data.requests import ForgetRequest
from ui import links
from ui.services import long_choices
from ui.state import values
from ui.state.session import session

FRONT = "Forgetting Lab"
"""The title of the front page, whose address has no name of its own."""


def read() -> None:
    """Takes over what the address says, where somebody else than the page has written it."""
    # Links of earlier versions carried the right to stop a run.
    st.query_params.pop("owner", None)
    params = st.query_params.to_dict()
    if not params or params == session.address:
        return
    # A click that changed the draft may carry an address from before our last change of it.
    if session.draft != session.written:
        return
    session.address = params
    found, problems = links.from_params(params, session.draft, _find)
    runs, more = links.run_ids(params.get("run"))
    compare, still_more = links.run_ids(params.get("runs"))
    photo, and_more = links.image_index(params.get("photo"))
    session.draft = session.written = found
    session.run = runs[0] if runs else None
    session.photo = photo
    if runs and runs[0] in compare:  # they were queued together
        session.together = compare
    if "runs" in params:
        session.compare = session.compare_default = compare
    session.problems = problems + more + still_more + and_more


def _find(id: str) -> ForgetRequest:
    """A long choice: of this session, or one that was stored. Raises BadRequest."""
    found: ForgetRequest | None = session.long.get(id)
    return found or long_choices.find(id)


def _name(request: ForgetRequest) -> str:
    """The id of a long choice. Nothing is stored: the session keeps it, and who looks at a page
    has not shared it."""
    id = long_choices.id_of(request)
    session.long[id] = request
    return id


def own(*names: str) -> dict[str, str]:
    """What the link that opened this page says under these names of the page's own; once in a
    session, for afterwards the session is the truth."""
    if not values.first(f"own-{session.page}", True):
        return {}
    values.put(f"own-{session.page}", False)
    return {name: value for name, value in st.query_params.to_dict().items() if name in names}


def link(page: str, label: str, **params: str) -> None:
    """A link to a page, with what its address says."""
    st.page_link(page, label=label, query_params=params)


def write(**extra: str) -> None:
    """Makes the address say what the session holds, and `extra` (empty ones left out)."""
    params = links.to_params(session.draft, _name) | {k: v for k, v in extra.items() if v}
    session.address, session.written = params, session.draft
    if st.query_params.to_dict() != params:
        st.query_params.from_dict(params)


def share_link(with_draft: bool = True, **extra: str) -> str:
    """The address of this page with the draft and `extra`; a long choice is stored for it.

    Raises LabError where that cannot be.
    """
    params = links.to_params(session.draft, long_choices.keep) if with_draft else {}
    place = "" if session.page == FRONT else session.page.replace(" ", "_")
    # The address that Streamlit knows may end with the page's own name.
    root = (st.context.url or "").rstrip("/").removesuffix(f"/{place}").rstrip("/")
    return f"{root}/{place}?{urlencode(params | extra, safe=':,')}"
