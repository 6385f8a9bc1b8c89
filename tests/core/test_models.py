"""uint8 in, logits out: what both architectures promise, and that ResNet-18 is torchvision's."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch
import torchvision
from torch import Tensor, nn

from core.checkpoints.outside import load_file_as
from core.errors import BadRequest
from core.models.arithmetic import multiply_adds
from core.models.classifier import MEAN, STD, Classifier
from core.models.compact import Compact
from core.models.precision import float32_only, has_fast_bfloat16, precision, training_precision
from core.models.registry import ARCHITECTURES, build_model

SINGLE = [name for name, kind in ARCHITECTURES.items() if not kind.ensemble]
"""Those that are one network, with a head over features."""


def pictures(n: int, seed: int = 0) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(256, (n, 3, 32, 32), dtype=torch.uint8, generator=draw)


def new(architecture: str, classes: int = 10, seed: int = 0) -> Classifier:
    return build_model(architecture, classes, torch.Generator().manual_seed(seed)).eval()


@pytest.mark.parametrize("architecture", SINGLE)
def test_uint8_in_logits_out(architecture: str) -> None:
    model, x = new(architecture, classes=7), pictures(3)
    with torch.inference_mode():
        logits, features = model(x), model.features(x)
        assert logits.shape == (3, 7)
        assert logits.dtype == torch.float32
        assert torch.equal(model.head(features), logits)
    assert features.shape == (3, model.head.in_features)
    assert model.head.out_features == 7


def test_normalisation_is_inside() -> None:
    model, x = new("compact"), pictures(4)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, STD))
    torch.testing.assert_close(
        model.normalise(x), (x / 255 - mean) / std, rtol=1e-5, atol=1e-5, check_stride=False
    )
    assert not {"mean", "std"} & set(model.state_dict())


@pytest.mark.parametrize("architecture", SINGLE)
def test_stages_hold_every_weight_once(architecture: str) -> None:
    model = new(architecture)
    staged = [id(p) for stage in model.stages() for p in stage.parameters()]
    assert len(staged) == len(set(staged))
    assert set(staged) == {id(p) for p in model.parameters()}
    assert model.stages()[-1] is model.head


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_weights_come_from_the_generator_alone(architecture: str) -> None:
    before = torch.get_rng_state()
    first, again, other = new(architecture), new(architecture), new(architecture, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    same = [torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True)]
    assert all(same)
    assert not torch.equal(*(list(model.parameters())[-2] for model in (first, other)))


def test_an_unknown_architecture() -> None:
    with pytest.raises(BadRequest, match=r"no model 'vgg'\. There are compact and resnet18"):
        build_model("vgg")


def test_resnet18_is_torchvisions(tmp_path: Path) -> None:
    """A `.pth` as the challenge's starting kit has it: the state dict of torchvision's network."""
    theirs = torchvision.models.resnet18(weights=None, num_classes=10)
    for module in theirs.modules():  # statistics that a wrong order of layers would show
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
    torch.save(theirs.eval().state_dict(), tmp_path / "weights_resnet18_cifar10.pth")
    ours = load_file_as("resnet18", tmp_path / "weights_resnet18_cifar10.pth")
    assert not ours.training
    x = pictures(4)
    normalise = torchvision.transforms.Normalize(MEAN, STD)
    with torch.inference_mode():
        expected = theirs(normalise(x / 255))
        torch.testing.assert_close(ours(x), expected, rtol=1e-4, atol=1e-4)


def test_multiply_adds_of_a_known_network() -> None:
    class Known(Classifier):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=False)
            self.head = nn.Linear(4, 10)

        def features(self, images: Tensor) -> Tensor:
            return self.conv(self.normalise(images)).mean((2, 3))

    model = Known()
    assert multiply_adds(model) == 16 * 16 * 4 * (3 * 3 * 3) + 4 * 10
    assert model.training
    assert not model.conv._forward_hooks


def test_what_compact_costs() -> None:
    model = new("compact")
    assert 1.4e6 < sum(p.numel() for p in model.parameters()) < 1.6e6
    assert 85e6 < multiply_adds(model) < 95e6


def test_what_an_ensemble_costs() -> None:
    """About what one network does; each of its members has learned another shard."""
    model = new("sisa", classes=7)
    assert 0.8 < multiply_adds(model) / multiply_adds(new("compact")) < 1.3
    with torch.inference_mode():
        assert model(pictures(3)).shape == (3, 7)


def test_the_stem_whitens_patches() -> None:
    model = new("compact")
    assert isinstance(model, Compact)
    # Neighbouring pixels alike, as in a picture.
    x = pictures(64)[:, :, ::2, ::2].repeat_interleave(2, 2).repeat_interleave(2, 3)
    model.initialise(x)
    with torch.inference_mode():
        out = model.stem(model.normalise(x)).permute(0, 2, 3, 1).reshape(-1, 24)
    assert torch.equal(out[:, :12], -out[:, 12:])
    spread = out[:, :12].T @ out[:, :12] / len(out)
    torch.testing.assert_close(spread, torch.eye(12), rtol=0, atol=0.02)


@pytest.mark.parametrize(
    ("cpu", "fast"),
    [
        ({"cpu_name": "AMD EPYC", "avx512_bf16": True}, True),
        ({"cpu_name": "Intel Xeon", "avx512_bf16": True}, False),
        ({"cpu_name": "Intel Xeon", "avx512_bf16": True, "amx_bf16": True}, True),
        ({"cpu_name": "AMD EPYC", "avx512_bf16": False}, False),
        ({}, False),
    ],
)
def test_where_bfloat16_is_the_faster_one(
    cpu: dict[str, object], fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: cpu, raising=False)
    assert has_fast_bfloat16.__wrapped__("cpu") is fast


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("asked", ["float32", "bfloat16", "auto", "", None])
def test_the_precision_that_is_asked_for(
    fast: bool, asked: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.models.precision.has_fast_bfloat16", lambda _: fast)
    if asked is None:
        monkeypatch.delenv("FORGETTING_LAB_PRECISION", raising=False)
    else:
        monkeypatch.setenv("FORGETTING_LAB_PRECISION", asked)
    given = asked if asked in ("float32", "bfloat16") else ("float32", "bfloat16")[fast]
    assert precision("cpu") == given
    with float32_only():
        assert precision("cpu") == "float32"
    assert precision("cpu") == given
    image, kernel = torch.rand(2, 3, 8, 8), torch.rand(4, 3, 3, 3)
    with training_precision(torch.device("cpu")):
        found = torch.nn.functional.conv2d(image, kernel).dtype
    assert found is getattr(torch, given)


def test_another_precision_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGETTING_LAB_PRECISION", "float16")
    with pytest.raises(BadRequest, match="_PRECISION is 'float16'"):
        precision("cpu")
    with pytest.raises(BadRequest), training_precision(torch.device("cpu")):
        pass


def test_without_the_hardware_a_convolution_rounds_as_autocast_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Result and gradients, to a unit in bfloat16's last place; the sums may run in another
    order."""
    draw = torch.Generator().manual_seed(0)
    image = torch.randn(8, 16, 10, 10, generator=draw)
    kernel = torch.randn(24, 16, 3, 3, generator=draw)
    bias = torch.randn(24, generator=draw)

    def step(context: AbstractContextManager[object]) -> list[Tensor]:
        given = [x.clone().requires_grad_() for x in (image, kernel, bias)]
        with context:
            out = torch.nn.functional.conv2d(*given, padding=1)
        out.float().square().mean().backward()
        return [out.detach().float(), *(x.grad for x in given if x.grad is not None)]

    monkeypatch.setattr("core.models.precision.has_fast_bfloat16", lambda _: False)
    monkeypatch.setenv("FORGETTING_LAB_PRECISION", "bfloat16")
    ours = step(training_precision(torch.device("cpu")))
    theirs = step(torch.autocast("cpu", dtype=torch.bfloat16))
    plain = step(contextlib.nullcontext())
    assert len(ours) == len(theirs) == 4
    for found, expected, exact in zip(ours, theirs, plain, strict=True):
        size = float(exact.abs().max())
        torch.testing.assert_close(found, expected, rtol=2**-7, atol=2**-8 * size)
        assert not torch.equal(found, exact)
        assert torch.equal(found, found.bfloat16().float())  # nothing finer than bfloat16
