"""A wall of photos, each with what is said of it: for looking, not for picking (`grid` is)."""

from __future__ import annotations

import base64
import functools
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

CSS = """<style>
.wall { display: grid; grid-template-columns: repeat(auto-fill, minmax(var(--cell), 1fr));
  gap: 10px 12px; }
.wall > div { display: flex; gap: 8px; align-items: flex-start; margin: 0; font-size: 13px;
  line-height: 1.35; }
.wall img { width: 56px; height: 56px; image-rendering: pixelated; border-radius: 4px; flex: none; }
.wall b { font-size: 13px; }
.wall .bar { display: grid; grid-template-columns: 42px 30px auto; gap: 4px; align-items: center;
  white-space: nowrap; }
.wall .bar i { display: block; height: 8px; background: currentColor; opacity: .75; }
.wall .bar i.off { background: none; border-left: 2px solid currentColor; }
</style>"""


@dataclass(frozen=True)
class Cell:
    """A photo. name: what it is called. said: lines of text below that. bars: shares, 0 to 1, by
    what each is called."""

    image: NDArray[np.uint8]
    name: str
    said: Sequence[str] = ()
    bars: Sequence[tuple[str, float]] = ()


def wall(cells: Sequence[Cell], width: int = 166) -> None:
    """Shows photos, uint8 (3, 32, 32) each, in as many columns of `width` pixels as there is room
    for."""
    items = "".join(_item(cell) for cell in cells)
    st.html(f'{CSS}<div class="wall" role="list" style="--cell: {width}px">{items}</div>')


def _item(cell: Cell) -> str:
    name = html.escape(cell.name)
    said = "".join(f"<div>{html.escape(line)}</div>" for line in cell.said)
    bars = "".join(
        f'<div class="bar"><span>{html.escape(label)}</span>'
        f'<i class="{"off" if share < 0.02 else ""}" style="width: {max(2, 30 * share):.0f}px"></i>'
        f"<span>{100 * share:.0f} %</span></div>"
        for label, share in cell.bars
    )
    return (
        f'<div role="listitem"><img src="{address(cell.image)}" alt="{name}">'
        f"<div><b>{name}</b>{bars}{said}</div></div>"
    )


def address(image: NDArray[np.uint8]) -> str:
    """A photo, uint8 (3, 32, 32), as the data address of a PNG."""
    return _address(image.transpose(1, 2, 0).tobytes(), image.shape[1])


@functools.lru_cache(maxsize=512)
def _address(pixels: bytes, side: int) -> str:
    """pixels: (side, side, 3). Made once: a live view shows the same photos twice a second."""
    buffer = io.BytesIO()
    Image.frombytes("RGB", (side, side), pixels).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
