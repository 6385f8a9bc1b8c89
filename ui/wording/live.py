"""What is said of a run while it is under way."""

from __future__ import annotations

from core.runs.job import Phase
from core.runs.run import Snapshot
from ui.wording.numbers import duration, place

LEAVE = (
    "You may leave this page: with nobody watching the run goes on for two minutes, and every page "
    "shows the way back to it."
)
LOADING = "Loading: the photos and the network are being read"
_DOING: dict[Phase, str] = {"load": "Load", "forget": "Forget", "check": "Check"}
_WHAT: dict[Phase, str] = {
    "load": "the network, the photos, and what the network makes of them before",
    "forget": "the method changes the network",
    "check": "all photos are asked about: the spy, the answers, the inside",
}


def waiting(position: int, seconds: float | None = None) -> str:
    """That a run waits, and where. seconds: until it starts, None where nobody knows."""
    when = "" if seconds is None else f", in about {duration(seconds)}"
    return (
        f"Waiting: this run is {place(position)}. One run computes at a time, and this one starts "
        f"by itself{when}."
    )


def phase(
    name: Phase,
    seconds: float | None,
    under_way: bool,
    checking: bool = False,
    measured: bool = False,
    looked_inside: bool = False,
) -> str:
    """A line of the phases. seconds: None for one that is still to come. checking, measured,
    looked_inside: how far the check has come."""
    if seconds is None:
        return f"○ {_DOING[name]}"
    if not under_way:
        return f"● {_DOING[name]} · {duration(seconds)}"
    what = _WHAT[name]
    if checking and measured:
        what = "the photos to keep" if looked_inside else "a look inside, with a new last layer"
    return f"◐ **{_DOING[name]}** · {duration(seconds)} so far: {what}"


def progress(latest: Snapshot) -> str:
    """ "Step 12 of 40, about 20 s left", or what is done where no step is."""
    if not latest.total_steps:
        return "Looked at the network before it forgets; the first step is on its way"
    text = f"Step {latest.step:,} of {latest.total_steps:,}"
    if latest.phase == "measuring":
        text += " done: asking about every photo"
        return f"{text}, about {duration(latest.remaining)} left" if latest.remaining else text
    if latest.remaining is not None:
        text += f", about {duration(latest.remaining)} left"
    return text if latest.phase == "unlearning" else f"{text} ({latest.phase})"


def first_verdict(looked_inside: bool) -> str:
    """What is still to come once the verdict stands."""
    return (
        f"{'' if looked_inside else 'It is being looked at inside. '}The photos to keep are still "
        "being asked about: whether it has unlearned something of them too is said when that is "
        "done."
    )
