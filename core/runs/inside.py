"""A finished run, made ready for a look inside the network that it left."""

from __future__ import annotations

from core.checkpoints import memorisation, storage
from core.checkpoints.outcomes import read_outcomes
from core.checkpoints.unlearned import not_kept, unlearned
from core.data.dataset import ImageDataset
from core.errors import BadRequest
from core.ideal import find_ideal
from core.inside.subject import Subject
from core.models.registry import architecture_of
from core.runs.run import Run


def subject_of(run: Run, dataset: ImageDataset) -> Subject:
    """What the look is about. dataset: that of the run's plan.

    Raises BadRequest where the run's network has no single inside or is of other images,
    CheckpointMissing where neither the network nor what was found in it before is kept here.
    """
    plan = run.plan
    if architecture_of(plan.model).ensemble:
        raise BadRequest(
            "This network is several in one, each trained on other images, so there is no one "
            "inside to look into."
        )
    run.check_images(dataset.fingerprint)
    parts = memorisation.split_of(dataset, plan.request)
    # A retraining is compared with another one, as its verdict is.
    excluded_seed = plan.seed if plan.method == "retrain" else None
    left = unlearned(run.id)
    subject = Subject(
        dataset,
        parts,
        storage.find(plan.model, plan.dataset, plan.base),
        find_ideal(plan.model, dataset, parts, other_than=excluded_seed),
        run.weights_sha256,
        left,
        read_outcomes(left, dataset) if left else None,
    )
    if subject.answers is None and (not run.weights_sha256 or subject.found() is None):
        raise not_kept()
    return subject
