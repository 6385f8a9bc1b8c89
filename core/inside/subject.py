"""What a look inside is about: the network before, the one that a run left, and the ideal."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from core.checkpoints.storage import Checkpoint
from core.data.dataset import ImageDataset
from core.data.splits import Split
from core.ideal import Ideal
from core.inside.chosen import Chosen, chosen
from core.inside.found import Inside, read_inside
from core.metrics.evidence import Outcome

VERSION = 1
"""Of what is measured, in the names of the files: a later version measures anew."""


@dataclass(frozen=True)
class Subject:
    """sha256: of the weights that the run left. left: those, None where they are kept no more.
    answers: its losses and predictions on all training and all test images; None likewise."""

    dataset: ImageDataset
    parts: Split
    base: Checkpoint
    ideal: Ideal | None
    sha256: str
    left: Checkpoint | None
    answers: tuple[Outcome, Outcome] | None

    @property
    def ideal_is_kept(self) -> bool:
        """Whether one can look inside the ideal: of some networks only the answers are kept."""
        models = self.ideal.models if self.ideal else ()
        return bool(models) and all(m.manifest.get("keep") != "logits" for m in models)

    @cached_property
    def images(self) -> Chosen:
        """Those that are looked at."""
        together = self.ideal_is_kept and self.ideal is not None and self.ideal.kind == "folds"
        return chosen(self.dataset, self.parts, together)

    @property
    def name(self) -> str:
        """What is found goes by this name on this machine."""
        ideal = self.ideal.name if self.ideal else ""
        about = (VERSION, self.sha256, self.base.sha256, ideal, self.ideal_is_kept)
        whole = f"{about}-{self.dataset.fingerprint}-{self.images.digest}"
        return hashlib.sha256(whole.encode()).hexdigest()[:24]

    def found(self) -> Inside | None:
        """What was found before on this machine."""
        return read_inside(self.name)
