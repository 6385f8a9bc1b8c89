"""How much each weight matters to a set of images: the mean of its squared or absolute derivative.

"squared_gradient": mean over images of (d CE(f(x), y) / d theta)^2, the diagonal of the empirical
Fisher information (as in SSD, Foster et al. 2023, arXiv 2308.07707).
"output_norm": mean over images of |d ||f(x)||^2 / d theta|, f(x) the logits; needs no labels
(Aljundi et al. 2018, arXiv 1711.09601; as in LFSSD, Foster et al. 2024, arXiv 2402.19308).

Squares and absolute values are taken image by image, which the gradient of a batch cannot give. One
pass forward and back gives the inputs a and the output gradients g of each layer, and the gradient
of image i is the sum over positions of g_i a_i'. Evaluation mode, float32, no augmentation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.data.images import Images
from core.models.classifier import Classifier
from core.models.modes import evaluating

BATCH = 64


Kind = Literal["squared_gradient", "output_norm"]


KINDS: tuple[Kind, ...] = get_args(Kind)


def importance(model: Classifier, part: Images, kind: Kind) -> Iterator[dict[str, Tensor]]:
    """The importance of every parameter, by name and in its shape, at least 0; high matters more.

    Yields after each batch of `BATCH` images, in the part's order, the mean over the images so far;
    the last one is that of all. The model is left as it is, its gradients and modes too. Knows
    convolutions, linear layers and BatchNorm, each used once a pass.
    """
    device = next(model.parameters()).device
    sums = {name: _zeros(weight) for name, weight in model.named_parameters()}
    seen = 0
    for positions in torch.arange(len(part)).split(BATCH):  # type: ignore[no-untyped-call]
        _add_batch(model, *part.batch(positions, device), kind, sums)
        seen += len(positions)
        yield {name: total / seen for name, total in sums.items()}


def _zeros(weight: Tensor) -> Tensor:
    """Zeros in a parameter's shape; those of a convolution lie channels last, see `_patches`."""
    if weight.ndim == 4:
        return torch.zeros_like(weight, memory_format=torch.channels_last)
    return torch.zeros_like(weight)


def _add_batch(
    model: Classifier, images: Tensor, labels: Tensor, kind: Kind, sums: dict[str, Tensor]
) -> None:
    """Adds each image's importance of each parameter to `sums`."""
    outputs: list[Tensor] = []

    def watch(name: str, layer: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def forward(_: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
            layer_input = inputs[0].detach()
            outputs.append(output)
            # A hook of the tensor, for a ReLU may overwrite it.
            output.register_hook(  # type: ignore[no-untyped-call]
                lambda gradient: _add_layer(name, layer, layer_input, gradient)
            )

        return layer.register_forward_hook(forward)

    def _add_layer(name: str, layer: nn.Module, inputs: Tensor, gradient: Tensor) -> None:
        if isinstance(layer, nn.BatchNorm2d):
            assert layer.running_mean is not None
            assert layer.running_var is not None
            deviation = (layer.running_var + layer.eps).sqrt()
            normed = (inputs - layer.running_mean[:, None, None]) / deviation[:, None, None]
            _add(sums[f"{name}.weight"], (gradient * normed).sum((2, 3)), kind)
            _add(sums[f"{name}.bias"], gradient.sum((2, 3)), kind)
            return
        if isinstance(layer, nn.Conv2d):
            inputs = _patches(layer, inputs)
            gradient = gradient.permute(0, 2, 3, 1).flatten(1, 2)
        else:
            inputs, gradient = inputs[:, None], gradient[:, None]
        weight = sums[f"{name}.weight"]
        if weight.ndim == 4:
            weight = weight.permute(0, 2, 3, 1).flatten(1)
        _add_products(weight, gradient, inputs, kind)
        if f"{name}.bias" in sums:
            _add(sums[f"{name}.bias"], gradient.sum(1), kind)

    hooks = [
        watch(name, layer)
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Conv2d | nn.Linear | nn.BatchNorm2d)
    ]
    try:
        with evaluating(model), torch.enable_grad():
            logits = model(images)
            if kind == "squared_gradient":
                total = F.cross_entropy(logits, labels, reduction="sum")
            else:
                total = logits.square().sum()
            # Down to the first layer's output: no gradient of a weight is computed on the way.
            torch.autograd.grad(total, outputs[0])
    finally:
        for hook in hooks:
            hook.remove()


def _patches(layer: nn.Conv2d, inputs: Tensor) -> Tensor:
    """What each output position of a convolution sees: (N, positions, height * width * channels),
    so ordered because rows of pixels are then copied in one piece."""
    assert layer.groups == 1
    assert layer.dilation == (1, 1)
    assert not isinstance(layer.padding, str)
    (top, left), (height, width) = layer.padding, layer.kernel_size
    padded = F.pad(inputs.permute(0, 2, 3, 1), (0, 0, left, left, top, top))
    windows = padded.unfold(1, height, layer.stride[0]).unfold(2, width, layer.stride[1])
    return windows.permute(0, 1, 2, 4, 5, 3).flatten(3).flatten(1, 2)


def _add(total: Tensor, gradients: Tensor, kind: Kind) -> None:
    """gradients: one row an image, (N, *total.shape)."""
    total += (gradients.square() if kind == "squared_gradient" else gradients.abs()).sum(0)


def _add_products(total: Tensor, gradients: Tensor, inputs: Tensor, kind: Kind) -> None:
    """Adds the square or absolute value of each image's sum over positions of g a'.

    total: (out, in), a view that is written to. gradients: (N, positions, out). inputs:
    (N, positions, in).
    """
    if gradients.shape[1] == 1:  # |g a'| = |g| |a|', and the sum over images is one product
        rows = gradients[:, 0], inputs[:, 0]
        left, right = (r.square() if kind == "squared_gradient" else r.abs() for r in rows)
        total += left.T @ right
        return
    product = torch.empty_like(total)  # one for all: new memory for each costs more than the sum
    for g, a in zip(gradients, inputs, strict=True):
        torch.mm(g.T, a, out=product)
        if kind == "squared_gradient":
            total.addcmul_(product, product)
        else:
            total.add_(product.abs_())
