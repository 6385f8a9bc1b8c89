"""One photo at a time: can a network still tell that it learned this one?

A network that never saw a photo, the ideal, says how hard it is. What the network makes of it
beside that, in logits, is compared with the same of new photos, which neither has seen: a photo
that stands out among them is told from new ones. This is the difficulty calibration of Watson et
al. (2022, arXiv 2111.08440) with the ideal as the reference. So a handful of photos can be asked
about where an average over them would say nothing. Neither torch nor scikit-learn is imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.metrics.measures import Evaluation, Losses
from core.runs.run import Run

ALARM = 0.05
"""Of new photos, the share that may be taken for learned ones: one in twenty."""
FEWEST_NEW = 40
"""New photos of the same classes below which all new photos are compared with."""

Word = Literal["still told", "no longer told", "never told", "stranger than new"]


@dataclass(frozen=True)
class Photo:
    """position: in the forget set, in the order of its indices. before, now, ideal: the probability
    that each network gives to the photo's label, 0 to 1. familiar_before, familiar: the share of
    new photos that look at least as familiar as it, to the network before and to the one now."""

    position: int
    before: float
    now: float
    ideal: float
    familiar_before: float
    familiar: float

    @property
    def word(self) -> Word:
        """What a spy that accuses one new photo in twenty says of it."""
        if self.familiar <= ALARM:
            return "still told"
        if self.familiar_before <= ALARM:
            return "stranger than new" if self.familiar >= 1 - ALARM else "no longer told"
        return "never told"


def photos(run: Run) -> list[Photo]:
    """Every photo of the forget set, in order; none where a network of the three is not known, or
    the losses of one are of other images."""
    models = [run.before, run.after, run.retrained]
    known = [model for model in models if model is not None]
    if len(known) < len(models) or len({len(m.forget_losses) for m in known}) > 1:
        return []
    before, now, ideal = known
    shares = [_familiar(model, ideal) for model in (before, now)]
    sure = [np.exp(-m.forget_losses.astype(np.float64)) for m in known]
    return [
        Photo(position, *(float(x[position]) for x in (*sure, *shares)))
        for position in range(len(before.forget_losses))
    ]


def _familiar(model: Evaluation, ideal: Evaluation) -> NDArray[np.float64]:
    """Of each photo to forget, the share of new photos that look at least as familiar, each beside
    what the ideal makes of it; never 0, for the photo itself counts among them."""
    name = "class_matched_losses"
    if len(getattr(model, name)) < FEWEST_NEW:
        name = "test_losses"
    new = np.sort(_logits(getattr(model, name)) - _logits(getattr(ideal, name)))
    own = _logits(model.forget_losses) - _logits(ideal.forget_losses)
    below, up_to = (np.searchsorted(new, own, side=side) for side in ("left", "right"))
    above = len(new) - (below + up_to) / 2  # ties count half
    shares: NDArray[np.float64] = (above + 1) / (len(new) + 1)
    return shares


def _logits(losses: Losses) -> NDArray[np.float64]:
    """log p - log (1 - p) of the label, from the cross-entropy, -log p."""
    kept = np.clip(losses.astype(np.float64), 1e-7, 50.0)
    found: NDArray[np.float64] = -np.log(np.expm1(kept))
    return found
