"""What one visitor, and all of them together, may use of a server that is open to strangers.

Each limit is an environment variable, FORGETTING_LAB_ and the field's name in capitals.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.errors import BadSetting, short


def _limit(default: float, says: str) -> Any:
    return field(default=default, metadata={"says": says})


@dataclass(frozen=True)
class Limits:
    """The limits of a hosted server; `LOCAL` for one that strangers cannot open."""

    run_seconds: float = _limit(
        300, "a run's method is stopped after so many seconds; what it did is measured and kept"
    )
    retrain_minutes: float = _limit(
        5, "no network is retrained whose training took longer, on the machine that trained it"
    )
    waiting_each: float = _limit(2, "runs that one visitor may have waiting")
    waiting_all: float = _limit(12, "runs that may wait in all")
    hour_seconds: float = _limit(900, "seconds of computing that one visitor may use in an hour")
    visitors_an_address: float = _limit(
        5, "as many visitors' worth may come from one network address (an IPv6 network of 64 bits)"
    )
    disk_mb: float = _limit(
        2000, "megabytes for visitors' runs and the networks that they retrained, together"
    )
    choices_mb: float = _limit(100, "megabytes for choices too long for a link, which names them")
    shared_days: float = _limit(30, "a run whose link was shared is not cleared for so many days")
    weights_mb: float = _limit(0, "the largest file of weights that is taken; 0 for none at all")

    @classmethod
    def from_environment(cls, named: Mapping[str, str] = os.environ) -> Limits:
        """The defaults, with what the environment says. Raises BadSetting."""
        said = {
            limit.name: _number(variable_of(limit.name), text)
            for limit in dataclasses.fields(cls)
            if (text := named.get(variable_of(limit.name), "").strip())
        }
        return cls(**said)


def variable_of(name: str) -> str:
    """The environment variable of a limit."""
    return f"FORGETTING_LAB_{name.upper()}"


def _number(variable: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not number >= 0:
        raise BadSetting(f"{variable} is {short(text)}, and has to be a number from 0 up.")
    return number


LOCAL = dataclasses.replace(
    Limits(**{limit.name: math.inf for limit in dataclasses.fields(Limits)}), waiting_each=3
)
"""Of a server that strangers cannot open: one queue, and nothing else to share."""
