"""The test photo to explain, out of all that the network has never seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from ui.services.influence import Answers
from ui.state import values
from ui.state.session import session
from ui.widgets.grid import image_grid

if TYPE_CHECKING:
    from core.data.dataset import ImageDataset

PAGE = 30
"""As many test photos as one page shows."""


def photo(data: ImageDataset, answers: Answers) -> int:
    """Shows the test photos, those answered wrongly first; gives the one taken, the first of them
    until then."""
    known = session.photo if session.photo is not None else int(answers.order[0])
    if not 0 <= known < len(data.test_labels):
        st.warning(f"There is no test photo {known}; the first one is shown.")
        known = int(answers.order[0])
    labels, names = data.test_labels.numpy(), data.class_names
    with st.container(horizontal=True, vertical_alignment="bottom"):
        shown = st.selectbox(
            "Photos of", ["all classes", *names], key="influence-class", persist_state="session"
        )
        order = answers.order
        if shown in names:
            order = order[labels[order] == names.index(shown)]
        pages = -(-len(order) // PAGE)
        if values.get("influence-page", 1) > pages:
            values.put("influence-page", 1)
        page = st.number_input(
            f"Page (of {pages:,})", 1, pages, key="influence-page", persist_state="session"
        )
    ids = order[(page - 1) * PAGE : page * PAGE]
    captions = [
        f"{names[labels[i]]}, test photo {i}; the network says {names[answers.said[i]]}"
        for i in ids
    ]
    picked = image_grid(
        data.test_images[ids].numpy(),
        ids,
        captions,
        [known],
        f"Test photos, take one: {shown}, page {page}",
        key="influence-grid",
    )
    st.caption(
        f"The network never saw these. Of {len(labels):,} it answers {answers.wrong:,} wrongly; "
        "those come first, the most surprising at the front. Click one."
    )
    if picked is not None and (new := picked - {known}):
        session.photo = new.pop()
        st.rerun()
    session.photo = known
    return known
