"""The verdict on a run as a stamp, with its forgetting strip: what stands above all numbers."""

from __future__ import annotations

import html
from collections.abc import Sequence

import streamlit as st

from core.runs.run import Run
from ui.charts.strip import strip
from ui.widgets.figures import draw, table
from ui.wording import strip as words
from ui.wording import verdicts

CSS = """<style>
.stamp { display: inline-block; border: 3px solid currentColor; border-radius: 6px;
  padding: .1em .55em; margin: 4px 10px 4px 0; font-size: 1.6rem; font-weight: 800;
  letter-spacing: .05em; text-transform: uppercase; transform: rotate(-1.5deg); line-height: 1.3; }
.stamp.small { font-size: 1rem; border-width: 2px; transform: rotate(1deg); }
@media (max-width: 640px) {
  .stamp { font-size: 1.2rem; margin-right: 6px; } .stamp.small { font-size: .8rem; }
}
</style>"""


def stamp(run: Run) -> None:
    """The verdict in two or three words, and the sentence that belongs to it."""
    word, said = verdicts.stamp(run)
    parts = [f'<span class="stamp" role="heading" aria-level="2">{html.escape(word)}</span>']
    if verdicts.damaged(run):
        parts.append('<span class="stamp small">And damaged</span>')
    st.html(CSS + "".join(parts))
    if said:
        st.markdown(f"**{said}**")


def the_strip(rows: Sequence[words.Row], key: str, legend: str = words.LEGEND) -> None:
    """The strip, what it shows, and its table twin; nothing where no question has an ideal."""
    if not rows:
        return
    text = words.takeaway(rows)
    draw(strip(rows, f"The forgetting strip. {text.replace('*', '')}"), f"{key}-strip")
    st.caption(legend)
    st.markdown(text)


def twin(rows: Sequence[words.Row]) -> None:
    """The strip as a table."""
    if rows:
        table(words.table(rows), "The forgetting strip as a table")
