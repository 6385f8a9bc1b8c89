"""The classic cases, to choose from."""

from __future__ import annotations

import streamlit as st

from ui import links, outside
from ui.screens.choose import ways
from ui.state import drafts
from ui.wording.cases import PRESETS


def panel(scored: bool) -> None:
    """A card for each case. scored: whether memorisation scores are here."""
    now = drafts.draft()
    for place, preset in zip(st.columns(3), PRESETS, strict=True):
        with place.container(border=True, height="stretch"):
            st.markdown(f"#### {preset.icon} {preset.title}")
            st.markdown(preset.stories[now.dataset])
            request = links.forget_request(preset.requests[now.dataset])
            st.caption(f"Forgets {outside.plain(request.describe())}.")
            usable = scored or not request.scores
            if st.button(
                "Chosen" if request == now.request else "Choose this",
                key=f"case-{preset.key}",
                disabled=not usable or request == now.request,
            ):
                drafts.choose(now.dataset, request)
                ways.remember()
                st.rerun()
            if not usable:
                st.caption("No memorisation scores are here for this data.")
