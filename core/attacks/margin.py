"""The margin of an image: by how much its own class leads."""

from __future__ import annotations

from core.attacks.attack import ThresholdAttack, of_each
from core.attacks.probabilities import margins

MARGIN = ThresholdAttack(
    "margin",
    "margin attack",
    "An image whose own class leads all others by much was probably seen; dividing the network's "
    "outputs changes nothing about the order (Carlini et al. 2022, arXiv 2112.03570).",
    of_each(lambda seen: margins(seen.logits, seen.labels)),
    signal="outputs",
)
