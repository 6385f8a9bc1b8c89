"""Whether a base model fits the images, and a method the model."""

from __future__ import annotations

from core.checkpoints.references import fits
from core.checkpoints.storage import Checkpoint
from core.data.dataset import ImageDataset
from core.errors import BadRequest
from core.models.registry import architecture_of
from core.unlearners.base import Unlearner


def check_data(base: Checkpoint, dataset: ImageDataset) -> None:
    """Weights never meet other data in silence; other pixels in the same order are allowed, and
    the record says so (`model_trained_on_same_pixels`)."""
    if not fits(base, dataset):
        raise BadRequest(
            f"The {base.manifest['architecture']} model was trained on other images than these.",
            "Train one on them: python -m core train",
        )


def check_model(base: Checkpoint, method: Unlearner) -> None:
    """An ensemble has no single head or features, and what retrains it is its own method."""
    ensemble = architecture_of(str(base.manifest["architecture"])).ensemble
    if ensemble and "shards" not in method.needs:
        raise BadRequest(
            f"{method.label} changes a single network, and this model is an ensemble of several.",
            "Choose the method sisa, or the model compact.",
        )
