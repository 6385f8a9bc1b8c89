"""In which precision the steps of a training compute, and on which device."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Literal

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from core.errors import BadRequest

Precision = Literal["float32", "bfloat16"]


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
    """Training inside this context is in float32, even where bfloat16 is faster or asked for."""
    token = _float32_only.set(True)
    try:
        yield
    finally:
        _float32_only.reset(token)


def precision(device: torch.device | str) -> Precision:
    """What the forward pass of a training step computes in there, now: `FORGETTING_LAB_PRECISION`,
    which is "float32", "bfloat16" (on any CPU, no faster without the hardware) or "auto": the
    faster one. Raises BadRequest for anything else."""
    setting = os.environ.get("FORGETTING_LAB_PRECISION") or "auto"
    if setting not in ("auto", "float32", "bfloat16"):
        raise BadRequest(
            f"FORGETTING_LAB_PRECISION is {setting[:40]!r}.", "It can be auto, float32 or bfloat16."
        )
    if _float32_only.get() or setting == "float32":
        return "float32"
    fast = setting == "bfloat16" or has_fast_bfloat16(torch.device(device).type)
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
