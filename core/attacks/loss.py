"""The loss of an image: what is surprisingly low was trained on."""

from __future__ import annotations

import numpy as np

from core.attacks.attack import ThresholdAttack, of_each
from core.metrics.metric import OUTCOMES

LOSS = ThresholdAttack(
    "loss",
    "loss attack",
    "Whoever is little surprised by an image has seen it: its loss is compared with a threshold "
    "(Yeom et al. 2018, arXiv 1709.01604).",
    of_each(lambda seen: -seen.losses.astype(np.float64)),
    OUTCOMES,
)
