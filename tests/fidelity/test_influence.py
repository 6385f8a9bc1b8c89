"""Influence functions against real retraining without an image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import spearmanr
from torch import Tensor

from core.curvature import head
from core.curvature.head import head_gradient, head_hessian, with_bias
from core.curvature.influence import head_influence, network_influence
from core.curvature.products import finish
from core.curvature.solvers import solve_damped
from core.models.classifier import Classifier
from tests.fidelity.test_curvature import CLASSES, Tiny, noise

N, D, L2 = 60, 5, 1.0


class Linear(Classifier):
    """A network that is nothing but a head."""

    def __init__(self) -> None:
        super().__init__()
        whole = Tiny()
        self.look, self.head = whole.look[:, :4], whole.head

    def features(self, images: Tensor) -> Tensor:
        return self.normalise(images).flatten(1).double() @ self.look


def fitted(x: Tensor, y: Tensor, l2: float, classes: int = CLASSES) -> Tensor:
    """The minimum of the summed loss plus (l2 / 2) ||W||^2, by Newton's method to its end."""
    weights = torch.zeros(classes, x.shape[1], dtype=torch.float64)
    for _ in range(30):
        gradient = head_gradient(weights, x, y) + l2 * weights
        hessian = finish(head_hessian(weights, x, y))
        weights -= solve_damped(hessian, l2, gradient.reshape(-1, 1)).view_as(weights)
    assert float(gradient.norm()) < 1e-10
    return weights


@pytest.fixture(scope="module")
def regression() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Three overlapping clouds."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.randint(0, CLASSES, (N + 8,), generator=draw)
    centres = torch.randn(CLASSES, D, generator=draw)
    features = centres[labels] + torch.randn(N + 8, D, generator=draw)
    return features[:N], labels[:N], features[N:], labels[N:]


def losses(weights: Tensor, features: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(with_bias(features) @ weights.T, labels, reduction="none")


def test_it_ranks_as_leaving_out_does(regression: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
    features, labels, test_features, test_labels = regression
    x = with_bias(features)
    weights = fitted(x, labels, L2)
    found = finish(head_influence(weights, *regression, damping=L2))
    assert found.shape == (N, 8)
    before = losses(weights, test_features, test_labels)
    moved = np.stack(
        [
            losses(fitted(x[keep], labels[keep], L2), test_features, test_labels) - before
            for keep in (torch.arange(N) != i for i in range(N))
        ]
    )
    for t in range(8):
        assert spearmanr(-found[:, t], moved[:, t]).statistic > 0.95
    # The size too, not only the order: to first order leaving out is -I.
    slope = (moved * -found).sum() / (found**2).sum()
    assert slope == pytest.approx(1, abs=0.25)


def test_it_is_the_derivative_by_the_weight_of_an_image(
    regression: tuple[Tensor, Tensor, Tensor, Tensor],
) -> None:
    """Equation 2.1 itself: image 3 with weight 1 + epsilon."""
    features, labels, test_features, test_labels = regression
    x = with_bias(features)
    weights = fitted(x, labels, L2)
    hessian = finish(head_hessian(weights, x, labels))
    moved = []
    for epsilon in (1e-4, -1e-4):
        w = weights.clone()
        for _ in range(5):
            gradient = head_gradient(w, x, labels) + L2 * w
            gradient += epsilon * head_gradient(w, x[3:4], labels[3:4])
            w -= solve_damped(hessian, L2, gradient.reshape(-1, 1)).view_as(w)
        moved.append(losses(w, test_features, test_labels))
    found = finish(head_influence(weights, *regression, damping=L2))[3]
    np.testing.assert_allclose(found, (moved[0] - moved[1]) / 2e-4, rtol=1e-3, atol=1e-6)


def test_numpy_in_is_torch_in(regression: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
    weights = torch.randn(CLASSES, D + 1, generator=torch.Generator())
    tensors = finish(head_influence(weights, *regression, damping=1.0))
    arrays = finish(
        head_influence(weights.numpy(), *(part.numpy() for part in regression), damping=1.0)
    )
    np.testing.assert_array_equal(tensors, arrays)
    assert tensors.dtype == np.float64


def test_the_whole_network_where_it_is_only_a_head() -> None:
    """Then the Gauss-Newton matrix is the Hessian, and both functions must agree."""
    model, train, test = Linear().eval(), noise(40), noise(3, seed=1)
    steps = list(network_influence(model, train, test, train, 0.05, 15, batch_size=16))
    assert steps[-1][0] == steps[-1][1]
    assert [done for done, _ in steps] == sorted({done for done, _ in steps})
    found = finish(network_influence(model, train, test, train, 0.05, 15, batch_size=16))
    with torch.no_grad():
        features = [model.features(part.images) for part in (train, test)]
    expected = finish(
        head_influence(
            head.head_weights(model.head),
            features[0],
            train.labels,
            features[1],
            test.labels,
            damping=0.05 * len(train),
        )
    )
    np.testing.assert_allclose(found / len(train), expected.mean(1), rtol=1e-4, atol=1e-8)


def test_the_whole_network_against_dense_matrices() -> None:
    from tests.fidelity.test_curvature import DAMPING, MODEL, PART, dense_ggn, jacobian

    test = noise(3, seed=1)
    found = finish(network_influence(MODEL, PART, test, PART, DAMPING, 60, batch_size=6))

    def gradients(images: Tensor, labels: Tensor) -> Tensor:
        logits = MODEL(images).detach()
        residual = logits.softmax(1) - F.one_hot(labels, CLASSES)
        return torch.einsum("nc,ncp->np", residual, jacobian(MODEL, images))

    left = dense_ggn() + DAMPING * torch.eye(sum(w.numel() for w in MODEL.parameters()))
    s = torch.linalg.solve(left, gradients(test.images, test.labels).mean(0))
    np.testing.assert_allclose(found, -gradients(PART.images, PART.labels) @ s, rtol=1e-4)
