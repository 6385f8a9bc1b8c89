"""The images that a run was made with, where they are on this machine."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from core.data.splits import Split
from core.errors import LabError
from core.runs.run import Run
from ui.services import images

if TYPE_CHECKING:
    from core.data.dataset import ImageDataset

log = logging.getLogger(__name__)


def of_run(run: Run) -> tuple[ImageDataset, Split] | None:
    """The data set of a run and its index sets; None where the images are not here, or are others
    than the run was made with."""
    plan = run.plan
    if not images.available(plan.dataset):
        return None
    try:
        data, parts = images.dataset(plan.dataset), images.split(plan.dataset, plan.request)
    except LabError as error:
        log.warning("no photos for run %s: %s", run.id, error)
        return None
    if run.data.get("forget_digest", parts.digest) != parts.digest:
        return None
    return data, parts
