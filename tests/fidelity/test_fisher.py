"""Fisher forgetting against its formula and a dense Fisher information matrix."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from core.curvature.products import flat
from core.errors import Diverged
from core.unlearners import fisher, make
from core.unlearners.base import UnlearningData
from core.unlearners.common.draw import stream
from tests import tiny
from tests.fidelity.test_curvature import CLASSES, Tiny, jacobian, noise

SMALL = {"fisher": {"alpha": 4e-8, "epochs": 4.0, "batch_size": 8}}
PART = noise(240)
MODEL = Tiny()


def moved(**settings: float) -> tuple[Tensor, Tensor]:
    """How far each weight went, and the standard normal number that it was given."""
    data = UnlearningData({"retain": PART}, "compact", CLASSES, tiny.SHORT)
    model: Any = copy.deepcopy(MODEL)
    list(make("fisher", settings).run(model, data, torch.Generator().manual_seed(0)))
    draws = stream(torch.Generator().manual_seed(0), "noise")
    found = flat(model.parameters()) - flat(MODEL.parameters())
    return found, torch.randn(len(found), generator=draws).double()


def test_the_noise_is_the_papers(monkeypatch: pytest.MonkeyPatch) -> None:
    """alpha^(1/4) (F + damping mean(F))^(-1/4) e."""
    p = sum(weight.numel() for weight in MODEL.parameters())
    draws = torch.rand(5, p, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def factors(*_: object) -> Iterator[Tensor]:
        yield from draws

    monkeypatch.setattr(fisher, "fisher_factors", factors)
    move, e = moved(alpha=1e-4, damping=0.5)
    information = draws.square().sum(0)
    expected = 0.1 * (information + 0.5 * information.mean()) ** -0.25 * e
    torch.testing.assert_close(move, expected)


def test_sixteen_times_alpha_is_twice_the_noise() -> None:
    once, twice = moved(alpha=1e-6)[0], moved(alpha=16e-6)[0]
    torch.testing.assert_close(twice, 2 * once)


def test_the_information_is_that_of_the_dense_matrix() -> None:
    """Read back from the noise: the diagonal of the Gauss-Newton matrix."""
    move, e = moved(alpha=1e-4, damping=1e-6, epochs=10, batch_size=8)
    found = 1e-4 * (e / move) ** 4
    j = jacobian(MODEL, PART.images)
    p = MODEL(PART.images).detach().softmax(1)
    inner = torch.diag_embed(p) - p[:, :, None] * p[:, None]
    expected = torch.einsum("ncp,ncd,ndp->p", j, inner, j) / len(PART)
    assert expected.max() > 20 * expected.min()
    assert ((found - expected).abs() / expected).median() < 0.15


def test_a_network_that_is_sure_of_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = torch.zeros(sum(weight.numel() for weight in MODEL.parameters()))
    monkeypatch.setattr(fisher, "fisher_factors", lambda *_: iter([nothing, nothing]))
    with pytest.raises(Diverged, match="No weight matters"):
        moved()
