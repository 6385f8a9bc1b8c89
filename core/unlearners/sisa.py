"""SISA's unlearning: only the shards that hold an image to forget are trained again, each from its
last state before the first slice that held one (Bourtoule et al. 2021, section V).

Exact: bit for bit the ensemble that SISA training without those images gives, images dealt out as
before (same machine, versions and thread count).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch

from core.errors import BadRequest
from core.models.classifier import Classifier
from core.models.sisa import Sisa
from core.training.shards import Stored, shards_of, train_shards
from core.unlearners.base import Step, Steps, Unlearner, UnlearningData


@dataclass(frozen=True)
class SisaUnlearner(Unlearner):
    """theta_s <- theta_s,r-1, then slices r .. R again without F, for each shard s that F hits, r
    its first slice with an image of F. All of F's share of the work is fixed at training time, so
    there is nothing to set."""

    name, label, group = "sisa", "SISA", "exact"
    needs = frozenset({"shards", "retain"})
    draws = False
    sentence = (
        "The model is a vote of several networks, each taught a part of the images of its own: "
        "only those that saw an image to forget go back to before it and learn on without it. "
        "Exact, and cheap while few parts are hit, but such a vote is less accurate than one "
        "network."
    )
    paper = "Bourtoule et al., IEEE S&P 2021, arXiv 1912.03817"

    def check(self, data: UnlearningData) -> None:
        super().check(data)
        if data.architecture != "sisa":
            raise BadRequest(
                "SISA unlearns only an ensemble that was trained in shards.",
                "Train one: python -m core train --model sisa, then choose the model sisa.",
            )
        stored: Stored = data.record("shards")()
        shards_of(data.retain, data.recipe, stored.seed, data.classes)

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        stored: Stored = data.record("shards")()
        shards = shards_of(data.retain, data.recipe, stored.seed, data.classes)
        ensemble = cast(Sisa, model)
        for progress in train_shards(ensemble, shards, data.recipe, stored.seed, stored.find):
            yield Step(progress.step, progress.total_steps, progress.loss, "retraining shards")
