"""Which images the app works on, and the way to more: notes, the download, digits instead."""

from __future__ import annotations

import streamlit as st

from core.errors import LabError, short
from ui import links, outside
from ui.services import download, images
from ui.state import drafts, values
from ui.widgets.errors import say
from ui.widgets.frame import CHOOSE
from ui.wording import terms


def data_note() -> None:
    """Which data the app runs on, and the way to more."""
    if images.available("cifar10"):
        st.markdown(
            ":material/photo_library: Runs here on **CIFAR-10**: 50,000 small colour photos to "
            "train on and 10,000 to test with. Handwritten digits are there as well."
        )
    else:
        st.markdown(
            ":material/draw: Runs here on **handwritten digits**; CIFAR-10, the photos of the "
            f"result above, is not on this machine. {terms.DIGITS_NOTE}"
        )
        download_box()


def images_missing(name: str) -> None:
    """Says that the images of a choice are not here, and what helps."""
    if name in links.DATASETS:
        st.warning(
            "This choice is about CIFAR-10, and its photos are not on this machine. Get them, or "
            "make the same kind of choice on digits.",
            icon=":material/cloud_download:",
        )
        download_box()
        return
    st.warning(
        outside.plain(
            f"This choice is about {data_title(name)}, a data set of one's own, which the app does "
            "not offer. Run it again from a shell (python -m core unlearn --dataset NAME --data "
            "FOLDER), or choose on digits."
        ),
        icon=":material/folder_off:",
    )


def data_title(name: str) -> str:
    """A data set in words; one of somebody's own has its name."""
    return terms.DATASETS.get(name, short(name))


def use_digits(page: str = CHOOSE) -> None:
    """A button that leaves for the data set that is always here. page: the one that it opens."""
    if st.button("Use digits instead", key="use-digits", type="primary"):
        drafts.choose("digits", None)
        st.switch_page(page)


def data_or_stop(error: LabError, page: str = CHOOSE) -> None:
    """Says why there are no images to work with, offers the digits (on that page), and ends."""
    say(error)
    if drafts.draft().dataset != "digits":
        use_digits(page)
    st.stop()


def download_box() -> None:
    """Offers CIFAR-10: a button, then progress and a way to stop. Starts nothing by itself.

    Where a download would not be looked at, or strangers look on, it says so in its place.
    """
    if error := images.named_folder_lacks("cifar10"):
        message = f"{error.message} FORGETTING_LAB_DATA names it, so a download is not looked at."
        st.warning(outside.plain(message), icon=":material/folder_off:")
        return
    if outside.hosted():
        st.caption("Whoever runs this server can fetch the photos: `python -m core download`.")
        return
    going = download.current()
    st.fragment(_download_view, run_every=1.0 if going.running else None)()


def _download_view() -> None:
    going = download.current()
    if going.running:
        share = min(1.0, going.done / going.total) if going.total else 0.0
        done = (
            f"{going.done / 1e6:.0f} of {going.total / 1e6:.0f} MB" if going.total else "starting"
        )
        st.progress(share, f"Downloading CIFAR-10: {done}")
        if st.button("Cancel the download", key="download-cancel"):
            going.cancel()
        values.put("downloading", True)
        return
    if values.take("downloading", False):
        st.rerun()
    if going.error:
        st.error(outside.plain(going.error), icon=":material/cloud_off:")
    if st.button(
        f"Download CIFAR-10 ({download.SIZE_MB} MB)", key="download", icon=":material/download:"
    ):
        going.start()
        st.rerun()
