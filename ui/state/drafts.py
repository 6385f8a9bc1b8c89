"""The draft: what has been set up so far, and what widgets make of it."""

from __future__ import annotations

import dataclasses
from typing import Any

from core.data.requests import ForgetRequest
from core.runs.plan import Plan
from ui.links import Draft
from ui.services import images, methods
from ui.state.session import session


def draft() -> Draft:
    """What has been set up so far."""
    return session.draft


def change(**fields: Any) -> None:
    """Changes the draft, and forgets complaints about the link it came from."""
    session.draft = dataclasses.replace(draft(), **fields)
    session.problems = []


def choose(dataset: str, request: ForgetRequest | None) -> None:
    """Another forget set, and with it no run on screen."""
    change(dataset=dataset, request=request)
    session.run = None


def take_up(plan: Plan) -> None:
    """A run's plan becomes the draft, with no run on screen."""
    session.draft = Draft.of_plan(plan)
    session.run = None


def settings() -> dict[str, Any]:
    """All settings of the draft's method, those not changed as tuned for the request.

    Raises LabError where the images cannot be read or the request does not fit them.
    """
    now = draft()
    method = methods.descriptions()[now.method]
    start = methods.defaults(
        method, images.case(now.dataset, now.request) if now.request else "random"
    )
    return start | {k: v for k, v in now.settings.items() if k in start}


def plan() -> Plan:
    """The draft as a plan; what was not changed is left to the method. Needs a request."""
    now = draft()
    assert now.request is not None
    known = {parameter["name"] for parameter in methods.descriptions()[now.method]["parameters"]}
    changed = {name: value for name, value in now.settings.items() if name in known}
    model = methods.model_for(methods.descriptions()[now.method], now.model)
    return Plan(model, now.dataset, now.request, now.method, changed, now.seed)
