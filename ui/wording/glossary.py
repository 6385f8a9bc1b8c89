"""The words of the field and of this app, each explained once; other screens link into it.

What a metric says of itself (`ui.wording.terms`) is taken from there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ui.wording import terms

PAGE = "How_it_works"
"""The page that shows the glossary, as an address has it."""


@dataclass(frozen=True)
class Entry:
    """term: in plain words. field: the field's word for it, "" where it is the same."""

    term: str
    text: str
    field: str = ""

    @property
    def anchor(self) -> str:
        """Where the entry is on its page: what Streamlit makes of a heading with this text."""
        return re.sub(r"[^a-z0-9 -]", "", self.term.lower()).replace(" ", "-")


def _metric(term: str, name: str) -> Entry:
    return Entry(term, terms.sentence(name), terms.term(name))


ENTRIES = (
    Entry(
        "Images to forget",
        "The training images that somebody wants removed: one, a few, a share or a whole class.",
        "forget set",
    ),
    Entry("Images to keep", "All other training images.", "retain set"),
    Entry(
        "The ideal",
        "The network trained anew, from other random weights, without the images to forget. "
        "Whatever it does with them it does without having seen them, so that is the aim.",
        "retrained model",
    ),
    Entry(
        "New images",
        "Images that no network here was trained on.",
        "test set",
    ),
    Entry(
        "Surprise",
        "The negative logarithm of the probability that the network gives to an image's label: "
        "0 where it is sure and right, the larger the less it expected the label.",
        "loss, cross-entropy",
    ),
    Entry(
        "Clinging",
        "How much the network's answer to a training image depends on having seen that image. "
        "Shown is a proxy from its training: high means learned late, or only by heart.",
        "memorisation",
    ),
    _metric("Spy's score", "mia"),
    _metric("Spy's score, same classes", "mia_class_matched"),
    _metric("Spy that looks at margins", "margin_auc"),
    _metric("Right on images to forget", "forget_accuracy"),
    _metric("Right on new images", "retained_test_accuracy"),
    _metric("Overlap of the shapes", "overlap"),
    _metric("Recognised inside", "re_head"),
    _metric("Distance to the ideal", "average_gap"),
    Entry(
        "Only silenced",
        "From outside like the ideal, while inside more is left than in the ideal: the network no "
        "longer says it and still knows it.",
    ),
    Entry(
        "Forgotten too much",
        "Past the ideal: less is known of the images than a network knows that never saw them, "
        "and that gives them away as well.",
        "over-forgetting",
    ),
    Entry(
        "Damaged",
        "Less right than the ideal on what was to be kept.",
        "loss of utility",
    ),
    Entry(
        "Influence",
        "By how much a training image moved the network's loss on a new one, from the curvature of "
        "the training loss. The screen *Influence* computes it and checks it by deletion.",
        "influence function",
    ),
)
"""In the order in which the panels need them."""


def address(term: str) -> str:
    """The address of an entry, for a link in Markdown. Raises KeyError for a term without one."""
    by_term = {entry.term: entry for entry in ENTRIES}
    return f"{PAGE}#{by_term[term].anchor}"
