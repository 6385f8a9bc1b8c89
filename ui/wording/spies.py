"""What the spies see, one by one: what a threshold accuses, and how that is with the ideal."""

from __future__ import annotations

from core.attacks.lineup import Accused, Lineup
from core.metrics.differences import difference_of_shares
from core.metrics.measures import Measure, share_of
from core.metrics.registry import SPIES
from ui.wording.numbers import known, percent

WHOSE = {"before": "Before", "after": "Now", "retrained": "Ideal"}
_THE = {
    "before": "the network before",
    "after": "the network now",
    "retrained": "the ideal, which never saw them,",
}
NOTHING_KEPT = (
    "The record of this run does not have what each spy made of each photo: it is from an earlier "
    "version, or fewer than ten photos were forgotten, or it was stopped before they were asked. "
    "Run it again to see their curves."
)
THRESHOLD = "Accuse every photo that looks more familiar than this share of the new photos (%)"
NO_IDEAL = "No network was retrained without these photos, so nobody knows what it would show."


def name(spy: str) -> str:
    """ "Margin attack" """
    label = SPIES[spy].label
    return label[0].upper() + label[1:]


def looks_at(spy: str) -> str:
    """What it looks at, in a sentence."""
    heard = " The verdict listens to it." if SPIES[spy].signal else ""
    return f"{SPIES[spy].sentence}{heard}"


def accuses(model: str, accused: Accused) -> str:
    """What a threshold does to one network's photos."""
    return (
        f"With {_THE[model]} this threshold accuses **{percent(accused.found)}** of the forgotten "
        f"photos (true positive rate, TPR) and, wrongly, **{percent(accused.wrongly)}** of the new "
        f"ones (false positive rate, FPR). Where both sides weigh the same, it is right about "
        f"**{percent(accused.right)}** of them (accuracy); a coin flip is right about half."
    )


def beside_ideal(now: Lineup, ideal: Lineup | None, above: float) -> str:
    """How many forgotten photos are accused beyond those that the ideal would have accused."""
    if ideal is None:
        return NO_IDEAL
    if len(now.members) != len(ideal.members):
        return ""
    mine, its = (share_of(line.members > above) for line in (now, ideal))
    apart = difference_of_shares(mine, its)
    text = f"With the ideal it would accuse {percent(its.value)} of the forgotten photos"
    if apart.low <= 0 <= apart.high:
        return f"{text}: chance alone can make that difference."
    more = "more" if apart.value > 0 else "fewer"
    why = "they are still told" if apart.value > 0 else "they were pushed too far away"
    return f"{text}: now it is **{100 * abs(apart.value):.1f} points** {more}, so {why}."


def areas(found: dict[str, Measure]) -> str:
    """The area under each curve, with its interval."""
    said = [
        f"{WHOSE[model].lower()} {percent(area.value)} ({percent(area.low)} to "
        f"{percent(area.high)})"
        for model, area in found.items()
        if known(area)
    ]
    return (
        "The area under a curve (AUC) is how often a forgotten photo looks more familiar than a "
        f"new one: {', '.join(said)}. On the dashed diagonal the spy only guesses."
    )


def familiar(share: float, than: str) -> str:
    """Below a photo: what it looks more familiar than. than: "new" or "forgotten"."""
    return f"more familiar than {percent(share)} of the {than} photos"


def surest(accused: Accused) -> tuple[str, ...]:
    """Headings of the photos that a threshold accuses, rightly and wrongly."""
    return tuple(
        f"{how} accused: {len(side):,}" + ", some of the surest" * bool(len(side))
        for how, side in (("Rightly", accused.members), ("Wrongly", accused.others))
    )
