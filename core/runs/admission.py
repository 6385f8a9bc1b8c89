"""Whether a queue takes another run: how many wait, who has used how much of the last hour."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.errors import BadRequest, LabError, QueueFull
from core.runs.job import Job
from core.runs.limits import Limits
from core.runs.plan import Plan

HOUR = 3600.0


@dataclass(frozen=True)
class _Spent:
    """Seconds that a run of somebody has computed, until that moment."""

    until: float
    owner: str
    address: str
    seconds: float


class Admission:
    """What is taken into one queue, by its limits. Kept in memory alone, network addresses too.

    full: whether the disk has no room for another run, see `core.runs.room`.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self.limits = limits
        self.full = False
        self._clock = clock
        self._spent: list[_Spent] = []

    def check_all(self, jobs: Sequence[Job], waiting: Sequence[Job], running: Job | None) -> None:
        """Raises QueueFull unless all of these can be taken, one after another."""
        line = list(waiting)
        starts_at_once = running is None and not line
        for taken, job in enumerate(jobs):
            try:
                self.check(job, line, running)
            except QueueFull as error:
                if not taken:
                    raise
                raise QueueFull(
                    f"Of these {len(jobs)} runs only {taken} would be taken now, so none is.",
                    "Start fewer at once, or wait until others are done.",
                ) from error
            if not starts_at_once:
                line.append(job)
            starts_at_once = False

    def check(self, job: Job, waiting: Sequence[Job], running: Job | None) -> None:
        """Raises QueueFull. The plan is looked at by `check_plan`, which takes longer."""
        limits, wide = self.limits, self.limits.visitors_an_address
        if self.full:
            raise QueueFull("This server has no room for another run.", "Try again tomorrow.")
        mine = sum(other.owner == job.owner for other in waiting)
        if mine >= limits.waiting_each:
            raise QueueFull(
                f"You have {_runs(mine)} waiting already, which is as many as one may have.",
                "Wait until one starts, or stop one.",
            )
        near = sum(other.address == job.address for other in waiting) if job.address else 0
        if near >= limits.waiting_each * wide:
            raise QueueFull(
                f"Your network has {_runs(near)} waiting already, as many as one may have.",
                "Wait until one starts.",
            )
        if len(waiting) >= limits.waiting_all:
            raise QueueFull(
                f"{_runs(len(waiting))} waiting in all is as many as this server takes.",
                "Try again in a few minutes.",
            )
        self._forget_old()
        spent = list(self._spent)
        if running is not None:
            now = self._clock()
            spent.append(_Spent(now, running.owner, running.address, now - running.started))
        self._check_hour([s for s in spent if s.owner == job.owner], limits.hour_seconds, "You")
        if job.address:
            near_by = [s for s in spent if s.address == job.address]
            self._check_hour(near_by, limits.hour_seconds * wide, "Visitors from your network")

    def note(self, job: Job) -> None:
        """A job of this queue has run, until now."""
        self._forget_old()
        now = self._clock()
        self._spent.append(_Spent(now, job.owner, job.address, now - job.started))

    def _forget_old(self) -> None:
        hour_ago = self._clock() - HOUR
        self._spent = [spent for spent in self._spent if spent.until > hour_ago]

    def overdue(self, job: Job) -> str:
        """Why a running job is to stop whose method has had its time; "" while it has not."""
        if self._clock() - job.started <= self.limits.run_seconds:
            return ""
        most = in_minutes(self.limits.run_seconds)
        return f"Stopped after {most}, as long as a run may take here."

    def _check_hour(self, spent: Sequence[_Spent], most: float, who: str) -> None:
        over = sum(s.seconds for s in spent) - most
        if over < 0 or not spent:
            return
        left = HOUR
        for item in sorted(spent, key=lambda s: s.until):
            over -= item.seconds
            if over < 0:
                left = item.until + HOUR - self._clock()
                break
        raise QueueFull(
            f"{who} have used the {in_minutes(most)} of computing that there are in an hour.",
            f"The next run can start in {in_minutes(left)}.",
        )


def check_plan(plan: Plan, limits: Limits) -> None:
    """Raises BadRequest for what a server of these limits does for nobody."""
    if plan.method == "retrain" and (seconds := too_long_to_retrain(plan, limits)):
        raise BadRequest(
            f"Training this network took {in_minutes(seconds)}, and this server retrains none that "
            f"takes longer than {in_minutes(60 * limits.retrain_minutes)}.",
            "Take another method, or retrain on a machine of your own.",
        )
    if limits.weights_mb <= 0:
        from core.runs import brought  # imports torch, which takes seconds

        if plan.method == brought.NAME:
            raise BadRequest(
                "This server takes no weights from outside.",
                "Judge them on a machine of your own: python -m core judge",
            )


def too_long_to_retrain(plan: Plan, limits: Limits) -> float | None:
    """How long a plan's network was trained (seconds), where that is more than is allowed."""
    if math.isinf(limits.retrain_minutes):
        return None
    seconds = seconds_of_training(plan.model, plan.dataset, plan.base)
    return seconds if seconds and seconds > 60 * limits.retrain_minutes else None


def seconds_of_training(model: str, dataset: str, base: str = "base") -> float | None:
    """How long a base was trained where it was trained; None where nobody knows."""
    from core.checkpoints import storage  # imports torch, which takes seconds

    try:
        seconds = storage.find(model, dataset, base).manifest.get("seconds")
    except LabError:
        return None
    return float(seconds) if isinstance(seconds, int | float) else None


def _runs(count: int) -> str:
    return f"{count} run{'s' * (count != 1)}"


def in_minutes(seconds: float) -> str:
    """ "45 s", "5 min"; rounded up."""
    return f"{math.ceil(seconds)} s" if seconds < 90 else f"{math.ceil(seconds / 60)} min"


def network_of(address: str | None) -> str:
    """What stands for a visitor's place on the network: an IPv4 address, an IPv6 network of 64 bits
    (which one household has); "" where none is known."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found), 64), strict=False))
    return str(found)
