"""A widget for a hyper-parameter, drawn from the metadata that the method declares."""

from __future__ import annotations

import math
from typing import Any

import streamlit as st

from ui import outside
from ui.state import drafts, values


def setting(parameter: dict[str, Any], value: Any) -> None:
    """Shows a parameter at `value`; a change goes into the draft.

    A value out of range (from a link) is brought into it, which is said.
    """
    name, key = parameter["name"], f"set-{parameter['name']}"
    low, high = parameter["low"], parameter["high"]
    whole = parameter["type"] == "int"

    def keep() -> None:
        drafts.change(settings={**drafts.draft().settings, name: values.get(key)})

    about = {"label": parameter["label"], "help": parameter["help"], "key": key, "on_change": keep}
    if parameter["type"] == "bool":
        values.put(key, bool(value))
        st.toggle(**about)
        return
    if parameter["type"] == "str":
        values.put(key, str(value))
        st.text_input(**about)
        return
    number = _inside(parameter, value)
    values.put(key, number)
    if low is None or high is None or (whole and high - low > 200 and not parameter["log"]):
        st.number_input(**about, min_value=low, max_value=high, format=None if whole else "%g")
    elif parameter["log"]:
        options = log_scale(low, high, {number, parameter["default"]}, whole)
        st.select_slider(**about, options=options, format_func=lambda v: f"{v:,g}")
    elif whole:
        st.slider(**about, min_value=int(low), max_value=int(high))
    else:
        step = 10 ** math.floor(math.log10((high - low) / 50))
        st.slider(
            **about,
            min_value=float(low),
            max_value=float(high),
            step=step,
            format=f"%.{max(0, -round(math.log10(step)))}f",
        )


def _inside(parameter: dict[str, Any], value: Any) -> float | int:
    """The value as a number in range; says so where it had to be changed."""
    low, high, label = parameter["low"], parameter["high"], parameter["label"]
    whole = parameter["type"] == "int"
    number = value if isinstance(value, int | float) and math.isfinite(value) else None
    if number is None or (whole and number != int(number)):
        st.warning(outside.plain(f"{label} cannot be {value!r}; the default is set instead."))
        number = parameter["default"]
    inside = max(number if low is None else low, min(number, number if high is None else high))
    if inside != number:
        st.warning(f"{label} cannot be {number:g}; {inside:g} is set, the nearest it can be.")
    if inside != value:
        drafts.change(settings={**drafts.draft().settings, parameter["name"]: inside})
    return int(inside) if whole else float(inside)


def log_scale(
    low: float, high: float, also: set[float], whole: bool = False
) -> list[float] | list[int]:
    """1, 2, 5, 10, ... from low to high with both ends and the values of `also`.

    Where low is 0 it comes first, and the steps begin at a millionth of high.
    """
    first = low if low > 0 else high * 1e-6
    marks = {low, high, *also}
    for power in range(math.floor(math.log10(first)), math.ceil(math.log10(high)) + 1):
        marks |= {m * 10.0**power for m in (1, 2, 5)}
    inside = sorted(
        {float(f"{m:.6g}") for m in marks if low <= m <= high} | {float(a) for a in also}
    )
    return [int(m) for m in inside if m == int(m)] if whole else inside
