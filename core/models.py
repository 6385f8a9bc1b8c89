"""The classifiers: `compact`, made for two CPU cores, torchvision's `resnet18`, and the `sisa`
ensemble of narrower `compact` networks.

All take uint8 images (N, 3, 32, 32) and give logits (N, classes): normalisation is their own first
step, so no caller can get it wrong. The single networks have `features` (N, d), a linear `head`
over them, and `stages`, their parts from input to output.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from core.errors import BadRequest

ARCHITECTURES = ("compact", "resnet18", "sisa")

Precision = Literal["float32", "bfloat16"]

# Per channel, of the CIFAR-10 training pixels in [0, 1]; as in the challenge's starting kit.
MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2023, 0.1994, 0.2010)


class Classifier(nn.Module):
    """Normalises uint8 images, then features, then a linear head."""

    head: nn.Linear

    def __init__(self) -> None:
        super().__init__()
        # Not in the state dict: constants of the architecture, not something that was learned.
        self.register_buffer("mean", 255 * torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(STD).view(1, 3, 1, 1), persistent=False)

    def normalise(self, images: Tensor) -> Tensor:
        """uint8 (N, 3, H, W) to zero mean and unit variance, channels last."""
        pixels = (images.float() - cast(Tensor, self.mean)) / cast(Tensor, self.std)
        return pixels.contiguous(memory_format=torch.channels_last)

    def features(self, images: Tensor) -> Tensor:
        """uint8 images (N, 3, 32, 32) to what the head sees, (N, d)."""
        raise NotImplementedError

    def stages(self) -> list[nn.Module]:
        """The parts with parameters, from input to output, the head last."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """uint8 images (N, 3, 32, 32) to logits (N, classes)."""
        logits: Tensor = self.head(self.features(images))
        return logits


class Block(nn.Module):
    """conv, max-pool, then conv with a skip: halves the resolution before it spends arithmetic."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(F.max_pool2d(self.conv1(x), 2)))
        return x + F.relu(self.norm2(self.conv2(x)))


class Compact(Classifier):
    """A residual network of 1.5 million weights, 90 million multiply-adds an image.

    After the airbench networks of Keller Jordan (github.com/KellerJordan/cifar10-airbench): a 2 x 2
    stem that starts as a whitening of the image patches, then three blocks that pool first.
    """

    WIDTHS = (64, 192, 256)
    FEATURE_SCALE = 0.25  # keeps the first logits, sums of 256 maxima, near unit size

    def __init__(self, classes: int, narrower: int = 1) -> None:
        """narrower: what the widths are divided by."""
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 2)
        widths = (24, *(width // narrower for width in self.WIDTHS))
        self.blocks = nn.ModuleList(map(Block, widths, widths[1:]))
        self.head = nn.Linear(widths[-1], classes)

    @torch.no_grad()
    def whiten(self, images: Tensor) -> None:
        """Sets the stem to the eigenvectors of the 2 x 2 patches of these images, and their
        negatives, each scaled to unit variance. images: uint8 (N, 3, 32, 32)."""
        patches = self.normalise(images).unfold(2, 2, 1).unfold(3, 2, 1)
        flat = patches.permute(0, 2, 3, 1, 4, 5).reshape(-1, 12)
        values, vectors = torch.linalg.eigh(flat.T @ flat / len(flat))
        filters = (vectors.T / (values[:, None] + 5e-4).sqrt()).reshape(12, 3, 2, 2)
        self.stem.weight.copy_(torch.cat([filters, -filters]))
        assert self.stem.bias is not None
        self.stem.bias.zero_()

    def features(self, images: Tensor) -> Tensor:
        x = F.relu(self.stem(self.normalise(images)))
        for block in self.blocks:
            x = block(x)
        return x.amax((2, 3)).float() * self.FEATURE_SCALE

    def stages(self) -> list[nn.Module]:
        return [self.stem, *self.blocks, self.head]


class ResNet18(Classifier):
    """torchvision's ResNet-18, unmodified, as the NeurIPS 2023 unlearning challenge's starting kit
    has it, so that its published weights load."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.net = torchvision.models.resnet18(weights=None, num_classes=classes)

    @property
    def head(self) -> nn.Linear:  # type: ignore[override]
        return cast(nn.Linear, self.net.fc)

    def features(self, images: Tensor) -> Tensor:
        net = self.net
        x = net.maxpool(net.relu(net.bn1(net.conv1(self.normalise(images)))))
        x = net.layer4(net.layer3(net.layer2(net.layer1(x))))
        return torch.flatten(net.avgpool(x), 1).float()

    def stages(self) -> list[nn.Module]:
        net = self.net
        return [net.conv1, net.bn1, net.layer1, net.layer2, net.layer3, net.layer4, net.fc]


class Sisa(Classifier):
    """The ensemble of SISA training (Bourtoule et al. 2021, arXiv 1912.03817): each member has
    learned one shard of the images, see `core.sisa`. It has no features, stages or head of its own.

    The vote is the mean of the members' class probabilities (section IV of the paper names it
    beside the majority, whose loss would be infinite where no member is right). Its logits are the
    vote's logarithm, so that softmax(logits) is the vote.
    """

    SHARDS = 4
    NARROWER = 2  # four networks of half the width cost about what one `compact` does

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.members = nn.ModuleList(Compact(classes, self.NARROWER) for _ in range(self.SHARDS))

    def forward(self, images: Tensor) -> Tensor:
        votes = torch.stack([member(images).float().log_softmax(1) for member in self.members])
        return votes.logsumexp(0) - math.log(len(self.members))


def check_architecture(name: str) -> None:
    """Raises BadRequest for an unknown architecture."""
    if name not in ARCHITECTURES:
        raise BadRequest(
            f"There is no model {name!r}.", f"There are {' and '.join(ARCHITECTURES)}."
        )


def build_model(
    architecture: str,
    classes: int = 10,
    generator: torch.Generator | None = None,
    device: torch.device | str = "cpu",
) -> Classifier:
    """A new network with random weights, drawn from `generator` alone (on the CPU, so that a seed
    gives the same start on every device). Raises BadRequest for an unknown architecture."""
    check_architecture(architecture)
    kinds: dict[str, Callable[[int], Classifier]] = {
        "compact": Compact,
        "resnet18": ResNet18,
        "sisa": Sisa,
    }
    seed = int(torch.randint(2**31, (), generator=generator))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = kinds[architecture](classes)
    return model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def best_device() -> torch.device:
    """CUDA where there is one, then Apple's GPU, then the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


@functools.cache
def has_fast_bfloat16(device_type: str) -> bool:
    """Whether training in bfloat16 is faster there: CUDA from Ampere on, and CPUs that multiply it
    faster than float32: by AMX, or by AVX-512 on AMD's (measured: about 1.7 times the images a
    second). Intel's AVX-512 has it at half the speed of float32 (measured: .6 times)."""
    if device_type == "cuda":
        return torch.cuda.get_device_capability()[0] >= 8
    if device_type == "cpu":
        capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
        by_intel = "Intel" in str(capabilities.get("cpu_name"))
        vectors = bool(capabilities.get("avx512_bf16")) and not by_intel
        return vectors or bool(capabilities.get("amx_bf16"))
    return False


_float32_only: ContextVar[bool] = ContextVar("float32 only", default=False)


@contextlib.contextmanager
def float32_only() -> Iterator[None]:
    """Whatever trains in here trains in float32, also where bfloat16 is faster or asked for."""
    token = _float32_only.set(True)
    try:
        yield
    finally:
        _float32_only.reset(token)


def precision(device: torch.device | str) -> Precision:
    """What the forward pass of a training step computes in there, now: `FORGETTING_LAB_PRECISION`,
    which is "float32", "bfloat16" (on any CPU, no faster without the hardware) or "auto": the
    faster one. Raises BadRequest for anything else."""
    asked = os.environ.get("FORGETTING_LAB_PRECISION") or "auto"
    if asked not in ("auto", "float32", "bfloat16"):
        raise BadRequest(
            f"FORGETTING_LAB_PRECISION is {asked[:40]!r}.", "It can be auto, float32 or bfloat16."
        )
    if _float32_only.get() or asked == "float32":
        return "float32"
    fast = asked == "bfloat16" or has_fast_bfloat16(torch.device(device).type)
    return "bfloat16" if fast else "float32"


class _RoundedConvolutions(TorchFunctionMode):
    """Convolutions that round as autocast's do, forward and backward, but multiply in float32.

    Where the CPU has no instruction for bfloat16, PyTorch's own take ten times as long as float32.
    """

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if function is not torch.conv2d:
            return function(*args, **(kwargs or {}))
        with torch.autocast("cpu", enabled=False):
            # The casts round the gradients on their way back as well.
            rounded = (x.bfloat16().float() if isinstance(x, Tensor) else x for x in args)
            return torch.conv2d(*rounded, **(kwargs or {})).bfloat16()


@contextlib.contextmanager
def training_precision(device: torch.device) -> Iterator[None]:
    """Autocast for the forward pass of a training step, where `precision` says bfloat16.

    Weights, gradients, optimiser state and every evaluation stay in float32.
    """
    with contextlib.ExitStack() as stack:
        if precision(device) == "bfloat16":
            stack.enter_context(torch.autocast(device.type, dtype=torch.bfloat16))
            if device.type == "cpu" and not has_fast_bfloat16("cpu"):
                stack.enter_context(_RoundedConvolutions())
        yield


def multiply_adds(model: Classifier) -> int:
    """Multiply-adds of the convolutions and linear layers for one 32 x 32 image."""
    total = 0

    def count(module: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal total
        weight = cast(Tensor, module.weight)
        total += output[0].numel() * weight[0].numel()

    hooks = [
        module.register_forward_hook(count)
        for module in model.modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    was_training = model.training
    device = next(model.parameters()).device
    with torch.inference_mode():
        model.eval()(torch.zeros(1, 3, 32, 32, dtype=torch.uint8, device=device))
    model.train(was_training)
    for hook in hooks:
        hook.remove()
    return total
