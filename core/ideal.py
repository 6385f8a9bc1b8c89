"""The ideal: a model that never saw the forget set, retrained and kept."""

from __future__ import annotations

from core.checkpoints import storage
from core.checkpoints.references import fits
from core.checkpoints.storage import Checkpoint
from core.data.dataset import ImageDataset
from core.data.splits import Split
from core.errors import CheckpointMissing


def find_reference(
    architecture: str,
    dataset: ImageDataset,
    parts: Split,
    seed: int | None = None,
    other_than: int | None = None,
) -> Checkpoint | None:
    """A model retrained on these images without this forget set, shipped or kept by this machine,
    if any.

    seed: only one trained from this seed; two of them tell how far two retrainings lie apart. By
    default the usual seed's, else the lowest there is. other_than: never one from this seed, so
    that a retraining is not judged against itself.
    """
    if seed is None:
        seeds = storage.retrained_seeds(architecture, dataset.name, parts.digest)
    else:
        seeds = [seed]
    for each in seeds:
        if each == other_than:
            continue
        role = storage.retrained_role(parts.digest, each)
        try:
            found = storage.find(architecture, dataset.name, role)
        except CheckpointMissing:
            continue
        if fits(found, dataset):
            return found
    return None
