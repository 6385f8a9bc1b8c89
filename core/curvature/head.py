"""First and second derivatives of the loss in the last layer, exactly: it is convex there."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.curvature.products import Work

# The last layer: softmax regression on the features. Its weights are one matrix (classes, d + 1),
# the bias its last column; all in float64 on the CPU.

HEAD_BATCH = 2048


def head_weights(head: nn.Linear) -> Tensor:
    """float64 (classes, d + 1): the weights of a linear layer, its bias the last column."""
    return torch.cat([head.weight, head.bias[:, None]], 1).detach().double().cpu()


@torch.no_grad()
def set_head(head: nn.Linear, weights: Tensor) -> None:
    """The inverse of `head_weights`."""
    head.weight.copy_(weights[:, :-1])
    head.bias.copy_(weights[:, -1])


def with_bias(features: Tensor) -> Tensor:
    """float64 (n, d + 1): the features and a column of ones."""
    return F.pad(features.double(), (0, 1), value=1.0)


def loss_derivatives(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """First and second derivative of cross-entropy by the logits: p - y (n, classes), and
    diag(p) - p p' (n, classes, classes)."""
    p = logits.softmax(1)
    residual = p - F.one_hot(labels, p.shape[1])
    return residual, torch.diag_embed(p) - p[:, :, None] * p[:, None, :]


def head_gradient(weights: Tensor, x: Tensor, labels: Tensor) -> Tensor:
    """Of the summed loss over images with features x (n, d + 1) by the head's weights, in their
    shape."""
    return loss_derivatives(x @ weights.T, labels)[0].T @ x


def head_hessian(
    weights: Tensor, x: Tensor, labels: Tensor, batch_size: int = HEAD_BATCH
) -> Work[Tensor]:
    """Of the summed loss, (q, q) with q = classes (d + 1), in the order of `weights.flatten()`.
    Exact: for a linear layer the Gauss-Newton matrix is the Hessian."""
    classes, d = weights.shape
    hessian = torch.zeros(classes, d, classes, d, dtype=weights.dtype)
    for batch, batch_labels in zip(x.split(batch_size), labels.split(batch_size), strict=True):  # type: ignore[no-untyped-call]
        curvature = loss_derivatives(batch @ weights.T, batch_labels)[1]
        for c in range(classes):
            rows = (curvature[:, : c + 1, c, None] * batch[:, None]).flatten(1)
            hessian[: c + 1, :, c] += (rows.T @ batch).view(c + 1, d, d)
        yield
    for c in range(classes):
        hessian[c + 1 :, :, c] = hessian[c, :, c + 1 :].permute(1, 2, 0)
    return hessian.view(classes * d, classes * d)


def head_steps(images: int, batch_size: int = HEAD_BATCH) -> int:
    """How often `head_hessian` yields."""
    return -(-images // batch_size)
