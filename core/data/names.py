"""Names of data sets and of classes, and which of them may be shown."""

from __future__ import annotations

import unicodedata

SIDE = 32


CIFAR10_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip


LONGEST_NAME = 60


_BETWEEN = frozenset(" _-'.,()/&+")


TUNING = "cifar10-tuning"
"""The name of the view that `core.data.views` makes of CIFAR-10's training images."""


WRONG_LABELS, BACKDOOR = "cifar10-wrong-labels", "cifar10-backdoor"
"""The names of the copies whose training images `core.data.poisoned` tampers with."""


def is_class_name(name: str) -> bool:
    """Whether a class may be called so: letters and digits of any language, single spaces and
    _ - ' . , ( ) / & +, at most `LONGEST_NAME` characters. Names stand on screens and in links."""
    return (
        0 < len(name) <= LONGEST_NAME
        and name == " ".join(name.split())
        # The marks of a letter (M) are part of it in many scripts.
        and all(c in _BETWEEN or unicodedata.category(c)[0] in "LMN" for c in name)
    )
