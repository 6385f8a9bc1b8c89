"""What a session knows, and how it meets the address bar.

One `Draft` in the session holds what has been set up. An address that says something else than
the page last wrote wins over it (a link was opened, or the browser went back); after that the
session is the truth and the address follows. Widgets show the draft, their callbacks change it.
"""

from __future__ import annotations

import dataclasses
import logging
import re
import secrets
from typing import Any
from urllib.parse import urlencode

import numpy as np
import streamlit as st
from PIL import Image

from core.data.requests import ForgetRequest
from core.errors import LabError
from core.runs.plan import Plan
from ui import lab, links, outside
from ui.links import Draft

TITLE = "Forgetting Lab"
STORY = {
    "app.py": "Meet the model",
    "pages/1_Choose.py": "Choose what to forget",
    "pages/2_Unlearn.py": "Watch it forget",
    "pages/3_Compare.py": "Compare",
    "pages/4_Methods.py": "Methods",
}
"""The pages and what the links to them say: the order is the story."""


def _icon() -> Image.Image:
    """Two overlapping shapes, 32 x 32. A named icon would be fetched from another host."""
    icon = np.full((32, 32, 3), 255, np.uint8)
    icon[4:22, 2:20] = (213, 94, 0)
    icon[10:28, 12:30] = (0, 114, 178)
    icon[10:22, 12:20] = (28, 39, 51)
    return Image.fromarray(icon)


READABLE = """<style>
[data-testid="stCaptionContainer"], [data-testid="stCaptionContainer"] p {
  color: inherit !important; opacity: 1 !important;
}
[data-testid="stCaptionContainer"] p { opacity: .8 !important; }
button[role="radio"][aria-checked="true"], button[role="radio"][aria-checked="true"] p,
[data-testid="stSliderThumbValue"], [data-testid="stSliderThumbValue"] p {
  color: inherit !important;
}
</style>"""
"""Streamlit's own captions have a contrast of about 4 to 1, a chosen option and a slider's value in
the dark less than that; readers need 4.5."""


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


def setup_page(title: str) -> None:
    """The first call of every page; may be called again without harm.

    title: also the page's name in its address.
    """
    st.set_page_config(
        page_title=title if title == TITLE else f"{title} · {TITLE}",
        page_icon=_icon(),
        layout="wide",
        menu_items={"About": "Forgetting Lab shows machine unlearning, and whether it worked."},
    )
    st.html(READABLE)
    if "draft" not in st.session_state:
        st.session_state.draft = Draft(dataset="cifar10" if lab.available("cifar10") else "digits")
        st.session_state.written = st.session_state.draft
        st.session_state.problems = []
        st.session_state.address = {}
        st.session_state.run = None
        st.session_state.jobs = []
        st.session_state.compare = st.session_state.compare_default = []
        st.session_state.page = title
        st.session_state.long = {}
        kept = st.context.cookies.get(COOKIE)
        st.session_state.owner = kept if _is_token(kept) else secrets.token_hex(12)
    if st.session_state.page != title:
        st.session_state.page, st.session_state.problems = title, []
        st.session_state.compare_default = st.session_state.compare
    with st.container(horizontal=True, gap="small", key="story"):
        for page, label in STORY.items():
            st.page_link(page, label=label, width="content")
        _keep_owner()
    _read_address()
    for problem in st.session_state.problems:
        st.warning(outside.plain(problem), icon=":material/link_off:")


def _is_token(value: object) -> bool:
    """Whether what a browser sent can be a token; anything can stand there."""
    return isinstance(value, str) and bool(TOKEN.fullmatch(value))


def _keep_owner() -> None:
    """Puts the session's token into the browser, or takes the one that another tab put there."""
    told = (st.session_state.get("owner-cookie") or {}).get("token")
    if _is_token(told) and not st.session_state.jobs:
        st.session_state.owner = told
    _owner_cookie(
        key="owner-cookie",
        data={"name": COOKIE, "token": st.session_state.owner},
        on_token_change=lambda: None,
        width="content",
    )


def _read_address() -> None:
    # Links of earlier versions carried the right to stop a run.
    st.query_params.pop("owner", None)
    params = st.query_params.to_dict()
    if not params or params == st.session_state.address:
        return
    # A click that changed the draft may carry an address from before our last change of it.
    if draft() != st.session_state.written:
        return
    st.session_state.address = params
    found, problems = links.from_params(params, draft(), _find)
    runs, more = links.run_ids(params.get("run"))
    compare, still_more = links.run_ids(params.get("runs"))
    st.session_state.draft = st.session_state.written = found
    st.session_state.run = runs[0] if runs else None
    if "runs" in params:
        st.session_state.compare = st.session_state.compare_default = compare
    st.session_state.problems = problems + more + still_more


def _find(id: str) -> ForgetRequest:
    """A long choice: of this session, or one that was stored. Raises BadRequest."""
    found: ForgetRequest | None = st.session_state.long.get(id)
    return found or lab.find_request(id)


def _name(request: ForgetRequest) -> str:
    """The id of a long choice. Nothing is stored: the session keeps it, and who looks at a page
    has not shared it."""
    id = lab.request_id(request)
    st.session_state.long[id] = request
    return id


def write_address(**extra: str) -> None:
    """Makes the address say what the session holds, and `extra` (empty ones left out)."""
    params = links.to_params(draft(), _name) | {k: v for k, v in extra.items() if v}
    st.session_state.address, st.session_state.written = params, draft()
    if st.query_params.to_dict() != params:
        st.query_params.from_dict(params)


def share_link(with_draft: bool = True, **extra: str) -> str:
    """The address of this page with the draft and `extra`; a long choice is stored for it.

    Raises LabError where that cannot be.
    """
    params = links.to_params(draft(), lab.keep_request) if with_draft else {}
    place = "" if st.session_state.page == TITLE else st.session_state.page
    # The address that Streamlit knows may end with the page's own name.
    root = (st.context.url or "").rstrip("/").removesuffix(f"/{place}").rstrip("/")
    return f"{root}/{place}?{urlencode(params | extra, safe=':,')}"


def draft() -> Draft:
    """What has been set up so far."""
    found: Draft = st.session_state.draft
    return found


def change(**fields: Any) -> None:
    """Changes the draft, and forgets complaints about the link it came from."""
    st.session_state.draft = dataclasses.replace(draft(), **fields)
    st.session_state.problems = []


def choose(dataset: str, request: ForgetRequest | None) -> None:
    """Another forget set, and with it no run on screen."""
    change(dataset=dataset, request=request)
    st.session_state.run = None


def settings() -> dict[str, Any]:
    """All settings of the draft's method, those not changed as tuned for the request.

    Raises LabError where the images cannot be read or the request does not fit them.
    """
    now = draft()
    method = lab.methods()[now.method]
    start = lab.defaults(method, lab.case(now.dataset, now.request) if now.request else "random")
    return start | {k: v for k, v in now.settings.items() if k in start}


def plan() -> Plan:
    """The draft as a plan; what was not changed is left to the method. Needs a request."""
    now = draft()
    assert now.request is not None
    known = {parameter["name"] for parameter in lab.methods()[now.method]["parameters"]}
    changed = {name: value for name, value in now.settings.items() if name in known}
    model = lab.model_for(lab.methods()[now.method], now.model)
    return Plan(model, now.dataset, now.request, now.method, changed, now.seed)


def say(error: LabError) -> None:
    """What happened and what helps; the traceback goes to the log."""
    logging.getLogger(__name__).warning("shown to a visitor", exc_info=error)
    st.error(outside.plain(error), icon=":material/error:")
