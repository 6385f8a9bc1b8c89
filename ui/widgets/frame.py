"""What frames every page: its settings, the links of the story, and complaints about a link."""

from __future__ import annotations

import numpy as np
import streamlit as st
from PIL import Image

from ui import outside
from ui.state import address, owner, start
from ui.state.session import session

TITLE = address.FRONT
CHOOSE, UNLEARN, INSIDE = "pages/1_Choose.py", "pages/2_Unlearn.py", "pages/3_Inside.py"
COST, ROBUSTNESS = "pages/4_What_did_it_cost.py", "pages/5_Robustness.py"
COMPARE, METHODS = "pages/6_Compare.py", "pages/7_Methods.py"
INFLUENCE, HOW = "pages/8_Influence.py", "pages/9_How_it_works.py"
GRAPHS, PROBABILITIES = "pages/10_Graphs.py", "pages/11_Probabilities.py"
STORY = {
    "app.py": "Meet the model",
    CHOOSE: "Choose what to forget",
    UNLEARN: "Watch it forget",
    INSIDE: "Look inside",
    COST: "What did it cost?",
    ROBUSTNESS: "Robustness",
    COMPARE: "Compare",
    METHODS: "Methods",
    INFLUENCE: "Influence",
    HOW: "How it works",
    GRAPHS: "Graphs",
    PROBABILITIES: "Probabilities",
}
"""The pages and what the links to them say: the order is the story."""
READABLE = """<style>
[data-testid="stCaptionContainer"], [data-testid="stCaptionContainer"] p {
  color: inherit !important; opacity: 1 !important;
}
[data-testid="stCaptionContainer"] p { opacity: .8 !important; }
button[role="radio"][aria-checked="true"], button[role="radio"][aria-checked="true"] p,
[data-testid="stSliderThumbValue"], [data-testid="stSliderThumbValue"] p {
  color: inherit !important;
}
[data-testid="stMainBlockContainer"] { padding-bottom: 4rem; }
.st-key-story { gap: .1rem !important; }
.st-key-story a { padding: .1rem .35rem !important; }
@media (max-width: 640px) {
  [data-testid="stMainBlockContainer"] { padding-top: 3.6rem; }
  [data-testid="stButtonGroup"] [role="radiogroup"] { flex-wrap: wrap; row-gap: .3rem; }
  h1 { font-size: 1.8rem !important; padding: .4rem 0 !important; }
}
</style>"""
"""Streamlit's own captions have a contrast of about 4 to 1, a chosen option and a slider's value in
the dark less than that; readers need 4.5."""


def _icon() -> Image.Image:
    """Two overlapping shapes, 32 x 32. A named icon would be fetched from another host."""
    icon = np.full((32, 32, 3), 255, np.uint8)
    icon[4:22, 2:20] = (213, 94, 0)
    icon[10:28, 12:30] = (0, 114, 178)
    icon[10:22, 12:20] = (28, 39, 51)
    return Image.fromarray(icon)


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
    start.begin(title)
    with st.container(horizontal=True, gap="small", key="story"):
        for page, label in STORY.items():
            st.page_link(page, label=label, width="content")
        owner.keep()
    address.read()
    for problem in session.problems:
        st.warning(outside.plain(problem), icon=":material/link_off:")
