"""Weights that a visitor brings, to be judged like those that a method here leaves."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from core.data.requests import ForgetRequest
from core.errors import LabError
from core.runs.plan import Plan
from ui import outside
from ui.services import hosting
from ui.services.methods import MODEL
from ui.widgets.errors import say


def bring(dataset: str, request: ForgetRequest, start: Callable[[Plan], None]) -> None:
    """An upload, and the button that has it judged. start: queues a plan."""
    with st.expander("Judge weights of your own", icon=":material/upload_file:"):
        st.markdown(
            "Did you unlearn these images elsewhere, by a method that is not here? Start from the "
            f"weights of `{MODEL}` that come with this project, bring what your method left of "
            "them, and they get the same verdict as any method here."
        )
        most = hosting.limits().weights_mb
        if most <= 0:
            st.caption(
                "This server takes no files from strangers. On a machine of your own: `python -m "
                "core judge --weights FILE`, or this app."
            )
            return
        # A stranger's file is never unpickled, and where strangers come none that could be is read.
        kinds = ["safetensors"] if outside.hosted() else ["safetensors", "pth", "pt"]
        largest = None if math.isinf(most) else math.ceil(most)
        uploaded = st.file_uploader(
            "A file of weights", kinds, key="brought", max_upload_size=largest
        )
        if uploaded is None:
            return
        if st.button("Judge these weights", key="judge", icon=":material/gavel:"):
            from core.runs import brought

            try:
                with tempfile.TemporaryDirectory() as folder:
                    file = Path(folder) / f"weights{Path(uploaded.name).suffix}"
                    file.write_bytes(uploaded.getbuffer())
                    name = brought.keep(file)
                start(Plan(MODEL, dataset, request, brought.NAME, {"weights": name}))
            except LabError as error:
                say(error)
