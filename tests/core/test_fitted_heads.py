"""The head of a saved model at its optimum: features read once, the penalty of its training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.checkpoints.fitted_heads import fitted_head, penalty
from core.checkpoints.records import find_features, record_file
from core.checkpoints.storage import Checkpoint, save
from core.curvature.head import head_gradient
from core.curvature.products import finish
from core.errors import BadRequest
from core.models.registry import build_model
from tests import tiny

pytestmark = pytest.mark.usefixtures("small_compact")
DATA = tiny.dataset()
RECIPE = {"weight_decay": 0.01}


@pytest.fixture
def base(own_models: Path) -> Checkpoint:
    manifest = {
        "architecture": "compact", "classes": 10, "fingerprint": "f" * 64, "recipe": RECIPE
    }  # fmt: skip
    return save(network(), own_models / "compact-tiny", "base", manifest)


def network(architecture: str = "compact"):
    return build_model(architecture, 10, torch.Generator().manual_seed(0)).eval()


def test_it_is_the_optimum_and_the_features_are_read_once(base: Checkpoint, monkeypatch) -> None:
    assert find_features(base, DATA) is None
    steps = list(fitted_head(base, network(), DATA))
    phases = [step.phase for step in steps]
    assert phases[0] == "features"
    assert phases == ["features"] * phases.count("features") + ["fit"] * phases.count("fit")
    assert find_features(base, DATA).shape[0] == len(DATA.train_labels)
    # A second time no image passes through the network.
    monkeypatch.setattr("core.models.compact.Compact.features", None)
    head = finish(fitted_head(base, network(), DATA))
    assert head.l2 == penalty(base, DATA) == pytest.approx(0.01 * len(DATA.train_labels))
    slope = head_gradient(head.weights, head.x, head.labels) + head.l2 * head.weights
    assert float(slope.norm()) < 1e-6 * (1 + float(head.weights.norm()))
    np.testing.assert_array_equal(head.labels, DATA.train_labels)


def test_damaged_features_are_read_again(base: Checkpoint) -> None:
    finish(fitted_head(base, network(), DATA))
    record_file(base, DATA, "features", "npy").write_bytes(b"no table")
    assert find_features(base, DATA) is None
    finish(fitted_head(base, network(), DATA))
    assert find_features(base, DATA) is not None


def test_an_ensemble_has_no_single_head(base: Checkpoint) -> None:
    with pytest.raises(BadRequest, match="no single last layer"):
        finish(fitted_head(base, network("sisa"), DATA))
