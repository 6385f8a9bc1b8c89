"""The networks that runs left behind: the newest stay on this machine, so that one can look inside
them later."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from core.checkpoints import storage
from core.checkpoints.outcomes import outcomes_file, write_outcomes
from core.checkpoints.storage import Checkpoint
from core.data.dataset import ImageDataset
from core.errors import CheckpointMissing, LabError
from core.files import networks_folder
from core.metrics.evidence import Outcome
from core.models.classifier import Classifier

log = logging.getLogger(__name__)

ROOM = 256_000_000
"""Bytes that they may take together; a `compact` takes 6 million. The oldest make room."""
ROLE = "unlearned"


def keep_unlearned(
    model: Classifier,
    run_id: str,
    base: Checkpoint,
    dataset: ImageDataset,
    train: Outcome,
    test: Outcome,
) -> Checkpoint | None:
    """Keeps the network that a run left, and its losses and predictions on all images, under the
    run's id. None where the disk will not have it: the run itself is none the worse."""
    manifest = {
        "architecture": base.manifest["architecture"],
        "classes": base.manifest["classes"],
        "dataset": dataset.name,
        "fingerprint": dataset.fingerprint,
        "index_order": dataset.index_order,
    }
    try:
        kept = storage.save(model, _folder(run_id), ROLE, manifest)
        without_logits = (Outcome(made.losses, made.predictions) for made in (train, test))
        write_outcomes(outcomes_file(kept, dataset), *without_logits)
        _make_room(_folder(run_id))
    except (OSError, LabError) as error:
        log.warning("the network of run %s is not kept: %s", run_id, error)
        return None
    return kept


def unlearned(run_id: str) -> Checkpoint | None:
    """The network that a run left, None where it is not kept here. run_id: of a run that exists.
    Raises CheckpointCorrupt."""
    return storage.find_in(_folder(run_id), ROLE)


def network_left(run_id: str) -> Checkpoint:
    """The same; raises CheckpointMissing where it is not kept here."""
    left = unlearned(run_id)
    if left is None:
        raise not_kept()
    return left


def not_kept() -> CheckpointMissing:
    """What is said where the network of a run is asked for and gone."""
    return CheckpointMissing("Of this run the numbers are kept, and not the network it left.")


def _folder(run_id: str) -> Path:
    return networks_folder() / run_id


def _make_room(newest: Path) -> None:
    """Deletes the oldest beyond `ROOM`, never the newest."""
    others = [folder for folder in newest.parent.iterdir() if folder != newest]
    others.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
    taken = _size(newest)
    for folder in others:
        taken += _size(folder)
        if taken > ROOM:
            shutil.rmtree(folder, ignore_errors=True)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())
