"""How much a training image moved the loss on a test image: the influence function.

Equation 2.1 of the course report (Koh & Liang, ICML 2017, arXiv 1703.04730): were the training
loss f(z') of image z' weighted by epsilon more, the weights would move by dw/d epsilon =
-H^-1 grad f(z') and the loss on a test image by

    I(z', test) = -grad L(test)' H^-1 grad f(z').

Positive: more weight on z' raises the test loss, so z' harms; negative: z' helps. Leaving z' out is
epsilon = -1: the test loss moves by about -I. H is the Hessian of the summed training loss, plus
lambda I: damping, or the L2 penalty (lambda / 2) ||w||^2 where the weights were trained with one.

`head_influence` is exact for the last layer over fixed features, `network_influence` approximates
the whole network. Both are generators of (done, total) batches; `finish` of
`core.curvature.products` gives what they return.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from core.curvature import head
from core.curvature.head import head_hessian, head_steps, with_bias
from core.curvature.products import ggn_product, in_order, logits_along, mean_gradient, numbered
from core.curvature.solvers import conjugate_gradients, solve_damped
from core.data.images import Images
from core.models.classifier import Classifier

Influence = Generator[tuple[int, int], None, NDArray[np.float64]]


def head_influence(
    weights: ArrayLike | Tensor,
    train_features: ArrayLike | Tensor,
    train_labels: ArrayLike | Tensor,
    test_features: ArrayLike | Tensor,
    test_labels: ArrayLike | Tensor,
    damping: float,
) -> Influence:
    """float64 (n_train, n_test): the influence of each training image on each test loss, through
    the last layer alone.

    weights: (classes, d + 1), the bias last, as `core.curvature.head` gives them. Features: (n, d).
    Labels: (n,), 0 to classes - 1. damping: lambda, above 0. Raises Diverged where H + lambda I
    cannot be inverted.
    """
    w = torch.as_tensor(_tensor(weights), dtype=torch.float64)
    x, x_test = with_bias(_tensor(train_features)), with_bias(_tensor(test_features))
    y, y_test = _tensor(train_labels).long(), _tensor(test_labels).long()
    total = head_steps(len(x)) + 1
    hessian = yield from numbered(head_hessian(w, x, y), 0, total)
    directions = solve_damped(hessian, damping, head_gradients(w, x_test, y_test))
    found = influence_along(directions, w, x, y)
    yield total, total
    return found


def head_gradients(weights: Tensor, x: Tensor, labels: Tensor) -> Tensor:
    """float64 (q, n): of the loss on each image by the head's weights, in the order of
    `weights.flatten()`. x: (n, d + 1), with a 1 for the bias."""
    residual = head.loss_derivatives(x @ weights.T, labels)[0]
    return torch.einsum("nc,nd->cdn", residual, x).flatten(0, 1)


def influence_along(
    directions: Tensor, weights: Tensor, x: Tensor, labels: Tensor
) -> NDArray[np.float64]:
    """float64 (n, t): minus the slope of each image's loss along each of the directions (q, t),
    which are (H + lambda I)^-1 grad L(test)."""
    residual = head.loss_derivatives(x @ weights.T, labels)[0]
    slopes = [
        (residual * (x @ direction.view_as(weights).T)).sum(1)  # a gradient: residual (outer) x
        for direction in directions.unbind(1)
    ]
    found: NDArray[np.float64] = -torch.stack(slopes, 1).numpy()
    return found


def network_influence(
    model: Classifier,
    train: Images,
    test: Images,
    sample: Images,
    damping: float = 0.01,
    iterations: int = 20,
    batch_size: int = 128,
) -> Influence:
    """float64 (n_train,): the influence of each image of `train` on the mean loss over `test`
    through all weights, each with the gradient that it has in evaluation mode.

    The mean-form of the above, so that it compares with `head_influence` once divided by the number
    of images that the model was trained on: H is the Gauss-Newton matrix of the mean loss over
    `sample`, some of those images; lambda is `damping`; s = (H + lambda I)^-1 grad L(test) comes
    from `iterations` of conjugate gradients. The influence of each training image is then the
    derivative of its loss along -s, one forward pass.
    """
    pass_steps = sample.steps(batch_size)
    before, total = test.steps(batch_size), test.steps(batch_size) + iterations * pass_steps
    total += train.steps(batch_size)
    weights = list(model.parameters())
    target = yield from numbered(mean_gradient(model, test, batch_size), 0, total)
    s = yield from numbered(
        conjugate_gradients(
            lambda v: ggn_product(model, sample, v, batch_size), target, damping, iterations
        ),
        before,
        total,
    )
    before += iterations * pass_steps
    influences = []
    for done, (images, labels) in enumerate(in_order(train, batch_size, weights[0].device), 1):
        with torch.no_grad():
            logits, change = logits_along(model, images, s)
            p = logits.softmax(1)
            slope = (p - F.one_hot(labels, p.shape[1])) * change
        influences.append(-slope.sum(1).double().cpu())
        yield before + done, total
    return torch.cat(influences).numpy()


def _tensor(values: ArrayLike | Tensor) -> Tensor:
    return values if isinstance(values, Tensor) else torch.from_numpy(np.asarray(values))
