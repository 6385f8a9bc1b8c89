"""The line-up behind an AUC: each image's place among the unseen ones, and what every threshold
would accuse.

An AUC keeps image by image what it is made of (DeLong's placements): of each member the share of
the others that score lower, of each other the share of the members that score higher. So the order
of the scores, and with it the whole ROC curve, can be read from a finished run without its network.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from core.attacks.curve import Floats, share_below
from core.data.splits import Indices
from core.metrics.measures import Measure


@dataclass(frozen=True)
class Accused:
    """What a threshold does. found: of the members, the share that it accuses (TPR); wrongly: of
    the others (FPR). members, others: positions of those accused, the most familiar first."""

    found: float
    wrongly: float
    members: Indices = field(repr=False)
    others: Indices = field(repr=False)

    @property
    def right(self) -> float:
        """The balanced accuracy: both sides weigh the same, and a coin flip has .5."""
        return (self.found + 1 - self.wrongly) / 2


@dataclass(frozen=True)
class Lineup:
    """members, others: float64 (n,), the share of the others that look less familiar than each
    image, 0 to 1, ties counted half. Others between which no member lies are in no known order, and
    stand in that of the images."""

    members: Floats = field(repr=False)
    others: Floats = field(repr=False)

    def accuse(self, above: float) -> Accused:
        """Whoever has a place above this one is accused. above: 0 to 1."""
        members, others = (_first(side, above) for side in (self.members, self.others))
        found, wrongly = len(members) / len(self.members), len(others) / len(self.others)
        return Accused(found, wrongly, members, others)

    def among_members(self, others: Indices) -> Floats:
        """Of the members, the share that looks less familiar than each of these others."""
        return share_below(self.others[others], np.sort(self.members))

    def curve(self) -> tuple[Floats, Floats]:
        """The ROC curve: false and true positive rates (n,), from accusing nobody to everybody."""
        thresholds = np.unique(np.concatenate([self.members, self.others]))[::-1]
        rates = [
            1 - np.searchsorted(np.sort(side), thresholds, side="left") / len(side)
            for side in (self.others, self.members)
        ]
        return np.concatenate([[0.0], rates[0]]), np.concatenate([[0.0], rates[1]])


def _first(places: Floats, above: float) -> Indices:
    """Positions of the places above one, the highest first."""
    found = np.flatnonzero(places > above)
    return found[np.argsort(-places[found], kind="stable")]


def lineup(area: Measure | None) -> Lineup | None:
    """Of an AUC as `core.attacks.curve.auc` gives it; None where it was not measured, or what each
    image adds to it is not known."""
    if area is None or len(area.each) != 2:
        return None
    # Each part has half of the AUC taken off (see `auc`), and counts images in halves.
    members, others = (part.astype(np.float64) + area.value / 2 for part in area.each)
    halves = np.rint(members * 2 * len(others))
    order = -np.rint(others * 2 * len(members))
    shared = share_below(order, np.sort(order))
    alone = np.empty(len(others))
    alone[np.argsort(order, kind="stable")] = (np.arange(len(others)) + 0.5) / len(others)
    # Only a member that ties with a group of others stands in its middle.
    tied = np.isin(np.rint(shared * 2 * len(others)), halves)
    return Lineup(halves / (2 * len(others)), np.where(tied, shared, alone))
