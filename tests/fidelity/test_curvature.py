"""Gauss-Newton products and both inverse-Hessian solvers against dense matrices."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from core.curvature import fisher, products, solvers
from core.curvature import head as last_layer
from core.curvature.products import finish, flat, unflat
from core.curvature.solvers import conjugate_gradients
from core.data.images import Images
from core.errors import Diverged
from core.models.classifier import Classifier

CLASSES, DAMPING = 3, 0.05


class Tiny(Classifier):
    """Two layers on six numbers of each image, in float64: 40 weights, confident as if trained."""

    def __init__(self) -> None:
        super().__init__()
        draw = torch.Generator().manual_seed(0)
        self.look = torch.randn(3 * 32 * 32, 6, dtype=torch.float64, generator=draw) / 55
        self.inner = nn.Linear(6, 4)
        self.head = nn.Linear(4, CLASSES)
        self.double()
        with torch.no_grad():
            for weight in self.parameters():
                weight.copy_(torch.randn(weight.shape, generator=draw, dtype=torch.float64))

    def features(self, images: Tensor) -> Tensor:
        return self.inner(self.normalise(images).flatten(1).double() @ self.look).tanh()


def noise(n: int = 20, seed: int = 0) -> Images:
    draw = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (n, 3, 32, 32), dtype=torch.uint8, generator=draw)
    labels = torch.randint(0, CLASSES, (n,), generator=draw)
    return Images(images, labels, torch.arange(n))


MODEL, PART = Tiny(), noise()


def jacobian(model: Classifier, images: Tensor) -> Tensor:
    """(n, classes, p), the logits' by all weights."""
    weights = dict(model.named_parameters())
    shapes = list(weights.values())

    def logits(vector: Tensor) -> Tensor:
        return functional_call(
            model, dict(zip(weights, unflat(vector, shapes), strict=True)), images
        )

    return torch.func.jacrev(logits)(flat(shapes))


def dense_ggn() -> Tensor:
    j = jacobian(MODEL, PART.images)
    p = MODEL(PART.images).detach().softmax(1)
    inner = torch.diag_embed(p) - p[:, :, None] * p[:, None]
    return torch.einsum("ncp,ncd,ndq->pq", j, inner, j) / len(PART)


def every_label() -> Iterator[Tensor]:
    """The gradients for every image and label, weighted by the softmax: their squares sum to the
    Gauss-Newton matrix exactly."""
    for i in range(len(PART)):
        logits = MODEL(PART.images[i : i + 1])[0]
        for c in range(CLASSES):
            weight = (logits.detach().softmax(0)[c] / len(PART)).sqrt()
            loss = -weight * logits.log_softmax(0)[c]
            yield flat(torch.autograd.grad(loss, list(MODEL.parameters()), retain_graph=True))


@pytest.fixture
def target() -> Tensor:
    found = finish(products.mean_gradient(MODEL, PART, 7))
    loss = F.cross_entropy(MODEL(PART.images), PART.labels)
    expected = flat(torch.autograd.grad(loss, list(MODEL.parameters())))
    torch.testing.assert_close(found, expected)
    return found


def test_products_are_those_of_the_dense_matrix() -> None:
    dense = dense_ggn()
    vector = torch.randn(len(dense), dtype=torch.float64, generator=torch.Generator())
    work = products.ggn_product(MODEL, PART, vector, batch_size=7)
    yields = []
    while True:
        try:
            yields.append(next(work))
        except StopIteration as stop:
            found = stop.value
            break
    assert len(yields) == 3  # one a batch
    torch.testing.assert_close(found, dense @ vector)


def test_logits_along_a_direction() -> None:
    j = jacobian(MODEL, PART.images)
    vector = torch.randn(j.shape[2], dtype=torch.float64, generator=torch.Generator())
    logits, change = products.logits_along(MODEL, PART.images, vector)
    torch.testing.assert_close(logits, MODEL(PART.images))
    torch.testing.assert_close(change, j @ vector)


def relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def test_both_solvers_agree_with_a_dense_solve(target: Tensor) -> None:
    dense = dense_ggn()
    expected = torch.linalg.solve(dense + DAMPING * torch.eye(len(dense)), target)
    by_products = finish(
        conjugate_gradients(
            lambda v: products.ggn_product(MODEL, PART, v, 8), target, DAMPING, len(dense)
        )
    )
    assert relative(by_products, expected) < 1e-4
    assert relative(finish(fisher.woodfisher(every_label(), target, DAMPING)), expected) < 1e-4
    # Not the known fault of released code, which stays parallel to the gradient.
    assert F.cosine_similarity(expected, target, dim=0) < 0.9


def test_woodfisher_on_sampled_factors_is_exact(target: Tensor) -> None:
    """Against the dense inverse of the same factors, in the single precision that networks have."""
    generator = torch.Generator().manual_seed(0)
    factors = list(fisher.fisher_factors(MODEL, PART, 12, 4, generator))
    dense = sum((torch.outer(f, f) for f in factors), DAMPING * torch.eye(len(target)))
    expected = torch.linalg.solve(dense, target)
    found = fisher.woodfisher((f.float() for f in factors), target.float(), DAMPING)
    assert relative(finish(found).double(), expected) < 1e-4


@pytest.mark.parametrize("batch_size", [1, 5])
def test_sampled_factors_estimate_the_matrix(batch_size: int) -> None:
    """One gradient a batch, for sampled labels, is unbiased whatever the batch."""
    generator = torch.Generator().manual_seed(1)
    factors = torch.stack(list(fisher.fisher_factors(MODEL, PART, 1000, batch_size, generator)))
    dense = dense_ggn()
    assert relative(factors.T @ factors, dense) < 0.15
    assert float((factors.T @ factors).trace() / dense.trace()) == pytest.approx(1, abs=0.1)


def test_conjugate_gradients_end_when_solved() -> None:
    products = 0

    def product(v: Tensor) -> products.Work[Tensor]:
        nonlocal products
        products += 1
        yield
        return 2 * v

    target = torch.tensor([1.0, -3.0])
    found = finish(conjugate_gradients(product, target, 2.0, 50))
    torch.testing.assert_close(found, target / 4)
    assert products == 1
    zero = finish(conjugate_gradients(product, torch.zeros(2), 2.0, 50))
    assert torch.equal(zero, torch.zeros(2))


# The last layer


@pytest.fixture
def head() -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    weights = torch.randn(4, 6, dtype=torch.float64, generator=draw)
    x = last_layer.with_bias(torch.randn(30, 5, generator=draw))
    return weights, x, torch.randint(0, 4, (30,), generator=draw)


def test_the_heads_derivatives_are_autograds(head: tuple[Tensor, Tensor, Tensor]) -> None:
    weights, x, labels = head

    def loss(vector: Tensor) -> Tensor:
        return F.cross_entropy(x @ vector.view(4, 6).T, labels, reduction="sum")

    gradient = torch.autograd.functional.jacobian(loss, weights.flatten())
    hessian = torch.autograd.functional.hessian(loss, weights.flatten())
    torch.testing.assert_close(last_layer.head_gradient(weights, x, labels).flatten(), gradient)
    found = finish(last_layer.head_hessian(weights, x, labels, batch_size=7))
    torch.testing.assert_close(found, hessian)
    assert last_layer.head_steps(30, 7) == len(list(last_layer.head_hessian(*head, batch_size=7)))


def test_the_heads_solve(head: tuple[Tensor, Tensor, Tensor]) -> None:
    hessian = finish(last_layer.head_hessian(*head))
    targets = torch.randn(24, 3, dtype=torch.float64, generator=torch.Generator())
    found = solvers.solve_damped(hessian, 0.3, targets)
    torch.testing.assert_close(found, torch.linalg.inv(hessian + 0.3 * torch.eye(24)) @ targets)
    with pytest.raises(Diverged, match="More damping"):
        solvers.solve_damped(-hessian, 1e-9, targets)


def test_a_head_survives_the_round_trip() -> None:
    head = nn.Linear(5, 3)
    before = [weight.detach().clone() for weight in head.parameters()]
    weights = last_layer.head_weights(head)
    x = torch.randn(2, 5, generator=torch.Generator())
    torch.testing.assert_close((last_layer.with_bias(x) @ weights.T).float(), head(x))
    last_layer.set_head(head, weights + 1)
    last_layer.set_head(head, weights)
    assert all(torch.equal(a, b) for a, b in zip(head.parameters(), before, strict=True))
