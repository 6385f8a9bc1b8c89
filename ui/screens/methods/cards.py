"""The card of one method, found by filters or by a click on its dot: what it does, what it reads,
whom it suits, what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from ui.services import methods
from ui.state import drafts, values
from ui.state.session import session
from ui.widgets.frame import UNLEARN
from ui.wording import catalogue, numbers
from ui.wording.measured import CASES
from ui.wording.quadrants import FEW_MINUTES, FILTERS, Dot


def cards(rows: Sequence[Mapping[str, Any]], dots: Sequence[Dot]) -> None:
    """Filters, the methods that they leave, and the card of the one taken. rows: what was measured
    of the methods; dots: of one case."""
    taken = st.pills("Only those that are", list(FILTERS), selection_mode="multi",
                     format_func=FILTERS.get, key="methods-filters")  # fmt: skip
    known = {dot.name: dot for dot in dots}
    every = methods.descriptions()
    left = [
        name
        for name, method in every.items()
        if all(_has(method, known.get(name), f) for f in taken or [])
    ]
    if not left:
        st.info("No method is all of that, as far as it was measured. Take a filter away.")
        return
    if values.get("methods-open") not in left:
        values.put("methods-open", left[0])
    name = st.selectbox(
        f"Method ({len(left)} of {len(every)})",
        left,
        key="methods-open",
        format_func=lambda name: every[name]["label"] if name in every else name,
    )
    seconds = {(row["case"], row["method"]): row["seconds"] for row in rows}
    with st.container(border=True, key="method-card"):
        _card(every[name], seconds)


def _has(method: Mapping[str, Any], dot: Dot | None, wanted: str) -> bool:
    """Whether a filter leaves a method; what is not measured does not pass."""
    if wanted == "fast":
        return dot is not None and dot.seconds <= FEW_MINUTES
    if wanted == "alone":
        return "retain" not in method["needs"]
    if wanted == "classes":
        return bool(method["suits"] != "samples")
    return dot is not None and dot.passes


def _card(method: Mapping[str, Any], seconds: Mapping[tuple[str, str], float]) -> None:
    """One method, and the button that sets it up. seconds: by case and method."""
    title, common = catalogue.GROUPS[method["group"]]
    st.markdown(f"**{method['label']}.** {method['sentence']}")
    cost = [
        f"{numbers.duration(seconds[case, method['name']])} for {words}"
        for case, words in CASES.items()
        if (case, method["name"]) in seconds
    ]
    st.caption(
        f"{title}: {common} Reads {catalogue.needs(method['needs'])}; "
        f"{catalogue.SUITS[method['suits']]}. "
        + (f"Took {' and '.join(cost)} on CIFAR-10. " if cost else "")
        + f"Source: {method['paper']}."
    )
    if st.button("Run it", key=f"use-{method['name']}", icon=":material/play_arrow:"):
        drafts.change(method=method["name"], settings={})
        session.run = None
        st.switch_page(UNLEARN)
