"""The hyper-parameters that many methods share: the same label, range and words everywhere."""

from __future__ import annotations

from core.unlearners.base import parameter

KEPT_AFTERWARDS = "How often each image to keep is seen afterwards."
OF_EACH_KIND = "Images of each kind a step."


def passes(default: float, help: str = "How often each image to forget is seen.") -> float:
    """Passes over a part of the data, which need not be whole ones."""
    return parameter(default, "Passes", help, 0.01, 50, log=True)


def tuning_passes(default: float) -> float:
    """Passes over the images to keep, of a method that fine-tunes."""
    return passes(default, "How often each image to keep is seen again.")


def rate(
    default: float,
    help: str = "How far each step moves.",
    low: float = 1e-5,
    high: float = 1.0,
    label: str = "Learning rate",
) -> float:
    """A learning rate; 1e-6 is the low end where the steps are those of forgetting alone."""
    return parameter(default, label, help, low, high, log=True)


def tuning_rate(default: float) -> float:
    """The learning rate of a method that fine-tunes on the images to keep."""
    return rate(default, "How far each step moves: larger forgets more and costs accuracy.")


def adam_rate(default: float, help: str) -> float:
    """A learning rate of Adam, which moves every weight by about as much."""
    return rate(default, help, 1e-6, 0.1)


def sgd_momentum() -> float:
    """SGD's momentum."""
    return parameter(0.9, "Momentum", "How much of the last step carries on.", 0, 0.99)


def batch(default: int = 128, help: str = "Images a step.", low: int = 8) -> int:
    """Images a batch; a low end of 4 where a batch is of one class alone."""
    return parameter(default, "Batch size", help, low, 1024, log=True)


def rehearsed(default: float, when: str) -> float:
    """How much of the images to keep is seen each time."""
    help = f"How much of the images to keep is seen {when}, 1 for all of them."
    return parameter(default, "Rehearsal", help, 0.01, 5, log=True)


def trained_blocks(default: int) -> int:
    """How many blocks are trained, where the earlier ones stay."""
    help = "How many blocks are trained, counted from the output."
    return parameter(default, "Blocks (k)", help, 1, 4)


def strength() -> float:
    """How much of a computed step is taken."""
    help = "How much of the step is taken: 1 is what the theory says."
    return parameter(1.0, "Strength", help, 1e-3, 1e3, log=True)
