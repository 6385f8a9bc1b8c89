"""How the methods are described: names, groups, what each reads, and whom it suits."""

from __future__ import annotations

from collections.abc import Iterable

NEEDS = {
    "retain": "the images to keep",
    "forget": "the images to forget",
    "features": "the network's features of the training images, computed once",
    "importance": "how much each weight matters for the training images, computed once",
    "shards": "the parts of an ensemble that was trained for this",
}
GROUPS = {
    "exact": ("Exact", "The result is a network that never saw the images: slow, and certain."),
    "retrain-like": (
        "Like retraining",
        "They train on with the images to keep, so that the others fade.",
    ),
    "forget-only": ("Forget set alone", "They look at the images to forget and at little else."),
    "weight-editing": ("Weight editing", "They change single weights, without any training."),
    "teacher-student": (
        "Teacher and student",
        "A copy of the network teaches it what to keep, another what to lose.",
    ),
    "second-order": (
        "Second order",
        "They compute where training without the images would have ended, from the curvature.",
    ),
}
"""What the groups of methods are called, and what they have in common."""
SUITS = {
    "samples": "for single images",
    "classes": "for whole classes only",
    "both": "for single images and whole classes",
}


def method_name(name: str) -> str:
    """A method's name in words, without importing the methods."""
    return (
        name.replace("fine_tune", "fine-tune")
        .replace("_", " ")
        .capitalize()
        .replace("Neg grad plus", "NegGrad+")
        .replace("Neg grad", "NegGrad")
        .replace("Brought", "Weights from outside")
    )


def needs(names: Iterable[str]) -> str:
    """What a method reads, in words."""
    return " and ".join(NEEDS.get(name, name) for name in names) or "no images"
