"""A grid of images to click: a Streamlit component (v2), with keyboard and ARIA.

`st.dataframe` with an `ImageColumn` would show one image a row, drawn on a canvas: ten at a time,
and none to a screen reader. Here each image is a checkbox in one tab stop: arrow keys move, space
or enter picks, Home and End jump. All images of a page come as one picture.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from ui.state import values
from ui.widgets.mosaic import ACROSS, mosaic

CSS = """
.grid { display: grid; grid-template-columns: repeat(auto-fill, 68px); gap: 4px;
  justify-content: center; padding: 4px; }
.grid button { width: 68px; height: 68px; padding: 0; border: 3px solid transparent;
  border-radius: 6px; background: none; cursor: pointer; position: relative; }
.grid button span { display: block; width: 62px; height: 62px; border-radius: 3px;
  image-rendering: pixelated; background-repeat: no-repeat; }
.grid button:hover { border-color: var(--st-border-color); }
.grid button:focus-visible { outline: 3px solid var(--st-primary-color); outline-offset: 1px; }
.grid button[aria-checked="true"] { border-color: #D55E00; }
.grid button[aria-checked="true"]::after { content: "✓"; position: absolute; top: 0; right: 0;
  width: 18px; height: 18px; line-height: 18px; font-size: 13px; font-weight: 700;
  background: #D55E00; color: #000; border-radius: 0 3px 0 6px; }
"""

JS = """
export default function ({ data, parentElement, setStateValue }) {
  const grid = parentElement.querySelector(".grid")
  const memory = (grid.memory ??= { page: null, sequence: 0, at: 0, picked: new Set() })
  // An answer to an older click must not undo a newer one.
  if (memory.page !== data.page || data.sequence >= memory.sequence) {
    memory.picked = new Set(data.picked)
    if (memory.page !== data.page) memory.at = 0
    memory.sequence = Math.max(memory.sequence, data.sequence)
    memory.page = data.page
  }
  grid.setAttribute("aria-label", data.label)
  const columns = () => {
    const first = grid.children[0], top = first.offsetTop
    return [...grid.children].filter(c => c.offsetTop === top).length || 1
  }
  const focus = at => {
    memory.at = Math.max(0, Math.min(at, data.ids.length - 1))
    ;[...grid.children].forEach((c, i) => { c.tabIndex = i === memory.at ? 0 : -1 })
    grid.children[memory.at].focus()
  }
  const toggle = at => {
    const id = data.ids[at]
    memory.picked.has(id) ? memory.picked.delete(id) : memory.picked.add(id)
    grid.children[at].setAttribute("aria-checked", memory.picked.has(id))
    focus(at)
    memory.sequence = Math.max(Date.now(), memory.sequence + 1)
    setStateValue("change",
      { page: data.page, sequence: memory.sequence, picked: [...memory.picked] })
  }
  if (grid.dataset.page !== data.page) {
    grid.dataset.page = data.page
    grid.replaceChildren(...data.ids.map((id, at) => {
      const cell = document.createElement("button")
      cell.type = "button"
      cell.setAttribute("role", "checkbox")
      cell.setAttribute("aria-label", data.names[at])
      cell.title = data.names[at]
      cell.tabIndex = at === 0 ? 0 : -1
      const picture = document.createElement("span")
      const across = data.across, x = at % across, y = Math.floor(at / across)
      picture.style.backgroundImage = `url(${data.sheet})`
      picture.style.backgroundSize = `${62 * across}px auto`
      picture.style.backgroundPosition = `${-62 * x}px ${-62 * y}px`
      cell.append(picture)
      return cell
    }))
  }
  ;[...grid.children].forEach((cell, at) => {
    cell.setAttribute("aria-checked", memory.picked.has(data.ids[at]))
    cell.onclick = () => toggle(at)
  })
  grid.onkeydown = event => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns(), ArrowUp: -columns(),
      Home: -data.ids.length, End: data.ids.length }[event.key]
    if (step === undefined) return
    event.preventDefault()
    focus(memory.at + step)
  }
}
"""

_grid = st.components.v2.component(
    "forgetting_lab_grid", html='<div class="grid" role="group"></div>', css=CSS, js=JS
)


def address_of(picture: NDArray[np.uint8], exact: bool = True) -> str:
    """A picture as the data address of a PNG; of a JPEG a third of its size where not exact."""
    buffer = io.BytesIO()
    kind, options = ("png", {}) if exact else ("jpeg", {"quality": 90, "subsampling": 0})
    Image.fromarray(picture).save(buffer, kind, **options)
    return f"data:image/{kind};base64," + base64.b64encode(buffer.getvalue()).decode()


def image_grid(
    images: NDArray[np.uint8],
    ids: Sequence[int],
    names: Sequence[str],
    picked: Sequence[int],
    label: str,
    key: str,
) -> set[int] | None:
    """Shows images to pick from; gives the ids picked on this page, once a click, else None.

    images: uint8 (n, 3, 32, 32). ids, names: (n,) what each is. picked: those shown as picked now.
    """
    page = f"{label}:{','.join(map(str, ids))}"
    here = set(map(int, ids))
    last: Any = (values.get(key) or {}).get("change") or {}
    # The state outlives the click: applied again, it would undo what Python changed since.
    click, applied = (page, last.get("sequence")), f"{key}-applied"
    new: set[int] | None = None
    if last.get("page") == page and values.get(applied) != click:
        new = {int(i) for i in last["picked"]} & here
    shown = set(picked) if new is None else (set(picked) - here) | new
    _grid(
        key=key,
        data={
            "sheet": address_of(mosaic(images)),
            "across": min(len(ids), ACROSS),
            "ids": list(map(int, ids)),
            "names": list(names),
            "picked": sorted(map(int, shown)),
            "label": label,
            "page": page,
            "sequence": last.get("sequence", 0) if last.get("page") == page else 0,
        },
        on_change_change=lambda: None,
    )
    if new is not None:
        values.put(applied, click)
    return new
