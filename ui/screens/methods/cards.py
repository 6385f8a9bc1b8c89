"""A card for each method: what it does, what it reads, whom it suits, what it costs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from ui.services import methods
from ui.state import drafts
from ui.state.session import session
from ui.widgets.frame import UNLEARN
from ui.wording import catalogue, numbers
from ui.wording.measured import CASES


def cards(rows: Sequence[Mapping[str, Any]]) -> None:
    """The methods by group. rows: what was measured of them."""
    seconds = {(row["case"], row["method"]): row["seconds"] for row in rows}
    every = methods.descriptions().values()
    for group, members in itertools.groupby(every, key=lambda method: method["group"]):
        title, common = catalogue.GROUPS[group]
        st.subheader(title)
        st.caption(common)
        for method in members:
            with st.container(border=True, key=f"method-{method['name']}"):
                _card(method, seconds)


def _card(method: Mapping[str, Any], seconds: Mapping[tuple[str, str], float]) -> None:
    """One method, and the button that sets it up. seconds: by case and method."""
    st.markdown(f"**{method['label']}.** {method['sentence']}")
    cost = [
        f"{numbers.duration(seconds[case, method['name']])} for {words}"
        for case, words in CASES.items()
        if (case, method["name"]) in seconds
    ]
    st.caption(
        f"Reads {catalogue.needs(method['needs'])}; {catalogue.SUITS[method['suits']]}. "
        + (f"Took {' and '.join(cost)} on CIFAR-10. " if cost else "")
        + f"Source: {method['paper']}."
    )
    if st.button("Use it", key=f"use-{method['name']}"):
        drafts.change(method=method["name"], settings={})
        session.run = None
        st.switch_page(UNLEARN)
