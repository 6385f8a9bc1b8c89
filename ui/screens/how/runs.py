"""The shipped runs and measurements that the panels read their numbers from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import LabError
from core.runs.summary import RunSummary
from ui import links
from ui.services import shipped
from ui.widgets.errors import say
from ui.wording.cases import PRESETS

DATASET = "cifar10"


def of_case(case: str) -> RunSummary | None:
    """The shipped run of a classic case on the photos: fine-tuning if there are several."""
    text = next(preset.requests[DATASET] for preset in PRESETS if preset.key == case)
    wanted = links.forget_request(text)
    found = [
        run
        for run in shipped.summaries()
        if (run.plan.dataset, run.plan.request) == (DATASET, wanted)
    ]
    return min(found, key=lambda run: run.plan.method != "fine_tune", default=None)


def measured() -> Sequence[Mapping[str, Any]]:
    """The measured methods; none where they cannot be read, which is said."""
    try:
        return shipped.measured_methods()
    except LabError as error:
        say(error)
        return []
