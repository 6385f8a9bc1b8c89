"""The classic cases: what to forget, and the story of each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """One of the classic cases. stories, requests (the short form): by data set."""

    key: str
    title: str
    icon: str
    stories: dict[str, str]
    requests: dict[str, str]


TENTH = (
    "Every tenth image is to be deleted. Others like it stay, so a good network still recognises "
    "most of them, as it would any new image."
)
PRESETS = (
    Preset(
        "random",
        "A random tenth",
        ":material/casino:",
        {"cifar10": TENTH, "digits": TENTH},
        {"cifar10": "random:0.1", "digits": "random:0.1"},
    ),
    Preset(
        "class",
        "A whole class: the trap",
        ":material/category:",
        {
            "cifar10": "Forget every automobile. The spy's score shoots up, yet not because "
            "anything leaked: find out what it really measures.",
            "digits": "Forget every image of the digit 1. The spy's score shoots up, yet not "
            "because anything leaked: find out what it really measures.",
        },
        {"cifar10": "class:automobile", "digits": "class:1"},
    ),
    Preset(
        "memorised",
        "The most memorised",
        ":material/psychology:",
        {
            "cifar10": "The 500 oddest images, which the network could only learn by heart. A "
            "network that never saw them is surprised by nearly all of them, so a high spy's score "
            "is what forgetting looks like here.",
            "digits": "The 50 images that the network could only learn by heart, most of them with "
            "a wrong label. A network that never saw them is surprised by most of them, so a high "
            "spy's score is what forgetting looks like here.",
        },
        {"cifar10": "memorised:500", "digits": "memorised:50"},
    ),
)
