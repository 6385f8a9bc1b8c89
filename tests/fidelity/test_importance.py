"""The importance of weights against autograd one image at a time, and the record of it."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.checkpoints import records
from core.checkpoints.records import record_file, stored_records
from core.checkpoints.storage import save
from core.curvature.importance import KINDS, Kind, importance
from core.data.images import Images
from core.models.classifier import Classifier
from core.models.registry import build_model
from tests import tiny

pytestmark = pytest.mark.usefixtures("small_compact")

DATA = tiny.dataset()
N = 10
SOME = Images(DATA.train_images, DATA.train_labels, torch.arange(30, 30 - N, -1))
both_kinds = pytest.mark.parametrize("kind", KINDS)


def network(architecture: str) -> Classifier:
    """With weights of its own and BatchNorm statistics unlike any batch's, in evaluation mode."""
    generator = torch.Generator().manual_seed(1)
    model = build_model(architecture, 10, generator).train()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.rand(parameter.shape, generator=generator) / 4)
        model(DATA.train_images[:20])
    return model.eval()


def in_double(model: Classifier) -> Classifier:
    """Its copy in double precision: in float32 an activation next to zero falls on another side of
    the ReLU on another CPU, and with it what flows back through it."""
    model = copy.deepcopy(model).double()
    plain = model.normalise
    model.normalise = lambda images: plain(images).double()
    model.head.register_forward_pre_hook(lambda _, inputs: inputs[0].double())
    return model


def one_by_one(model: Classifier, part: Images, kind: Kind) -> dict[str, Tensor]:
    """The definition: autograd for each image."""
    sums = {name: torch.zeros_like(weight) for name, weight in model.named_parameters()}
    for position in range(len(part)):
        images, labels = part.batch(torch.tensor([position]), torch.device("cpu"))
        logits = model(images)
        value = logits.square().sum()
        if kind == "squared_gradient":
            value = F.cross_entropy(logits, labels)
        gradients = torch.autograd.grad(value, list(model.parameters()))
        for total, gradient in zip(sums.values(), gradients, strict=True):
            total += gradient.square() if kind == "squared_gradient" else gradient.abs()
    return {name: total / len(part) for name, total in sums.items()}


@both_kinds
@pytest.mark.parametrize("architecture", ["compact", "resnet18"])
def test_it_is_the_mean_over_images_of_each_ones_gradient(
    architecture: str, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.curvature.importance.BATCH", 4)
    model = in_double(network(architecture))
    *_, found = importance(model, SOME, kind)
    expected = one_by_one(model, SOME, kind)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert value.abs().max() > 0, name
        assert found[name].shape == value.shape
        assert (found[name] - value).norm() < 1e-6 * value.norm(), name


def test_one_gradient_of_all_images_is_something_else() -> None:
    """The known shortcut, the square of a batch's mean gradient, would not pass."""
    model = network("compact")
    *_, found = importance(model, SOME, "squared_gradient")
    logits = model(DATA.train_images[SOME.indices])
    loss = F.cross_entropy(logits, DATA.train_labels[SOME.indices])
    (gradient,) = torch.autograd.grad(loss, [model.head.weight])
    assert gradient.square().mean() < 0.5 * found["head.weight"].mean()


def test_the_head_in_closed_form() -> None:
    """E (p - y)^2 h^2 and E |2 f| |h|, with the softmax p, the logits f and the features h."""
    model = network("compact")
    images, labels = SOME.batch(torch.arange(N), torch.device("cpu"))
    with torch.no_grad():
        h, f = model.features(images), model(images)
    residual = f.softmax(1) - F.one_hot(labels, 10)
    *_, squared = importance(model, SOME, "squared_gradient")
    torch.testing.assert_close(
        squared["head.weight"], torch.einsum("no,nd->od", residual**2, h**2) / N
    )
    torch.testing.assert_close(squared["head.bias"], residual.square().mean(0))
    *_, norm = importance(model, SOME, "output_norm")
    torch.testing.assert_close(
        norm["head.weight"], torch.einsum("no,nd->od", (2 * f).abs(), h.abs()) / N
    )


def test_each_batch_gives_the_mean_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.curvature.importance.BATCH", 4)
    model = network("compact")
    first, *_, last = importance(model, SOME, "squared_gradient")
    few = dataclasses.replace(SOME, indices=SOME.indices[:4])
    *_, expected = importance(model, few, "squared_gradient")
    for name, value in expected.items():
        torch.testing.assert_close(first[name], value, rtol=0, atol=0)
        assert not torch.equal(value, last[name])
    assert len(list(importance(model, SOME, "squared_gradient"))) == 3


def test_no_label_is_needed_for_the_output_norm() -> None:
    model = network("compact")
    blind = dataclasses.replace(SOME, labels=torch.full_like(SOME.labels, -1))
    *_, found = importance(model, blind, "output_norm")
    *_, expected = importance(model, SOME, "output_norm")
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@both_kinds
def test_the_model_is_left_as_it_was(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each batch: modes, statistics, gradients and hooks."""
    monkeypatch.setattr("core.curvature.importance.BATCH", 4)
    model = network("compact")
    model.train()
    model.blocks[1].norm1.eval()
    before = copy.deepcopy(model)
    with torch.no_grad():
        for _ in importance(model, SOME, kind):
            assert tiny.same(model, before)
            modes = [m.training for m in before.modules()]
            assert [m.training for m in model.modules()] == modes
            assert all(p.grad is None and p.requires_grad for p in model.parameters())
            assert not any(m._forward_hooks for m in model.modules())


def test_augmentation_and_batchnorm_do_not_mix_images() -> None:
    """An image's part in the mean does not depend on which others are there."""
    model = network("compact").train()
    halves = [dataclasses.replace(SOME, indices=half) for half in SOME.indices.split(N // 2)]
    *_, whole = importance(model, SOME, "squared_gradient")
    (first,), (second,) = (list(importance(model, half, "squared_gradient")) for half in halves)
    for name, value in whole.items():
        torch.testing.assert_close((first[name] + second[name]) / 2, value, rtol=1e-4, atol=1e-9)


# The record


@pytest.fixture
def base(own_models: Path, small_compact: None):
    model = network("compact")
    manifest = {"architecture": "compact", "classes": 10, "fingerprint": DATA.fingerprint}
    return save(model, own_models / "compact-tiny", "base", manifest), model


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Images]:
    """What the importance was measured on, in order."""
    seen: list[Images] = []

    def spy(model: Classifier, part: Images, kind: Kind):
        seen.append(part)
        return importance(model, part, kind)

    monkeypatch.setattr(records, "importance", spy)
    return seen


def read(base, data=DATA) -> dict[Kind, dict[str, Tensor]]:
    record = stored_records(*base, data, frozenset({"importance"}))
    assert set(record) == {"importance"}
    return {kind: record["importance"](kind) for kind in KINDS}


def same(first: dict[Kind, dict[str, Tensor]], second: dict[Kind, dict[str, Tensor]]) -> bool:
    return all(torch.equal(first[k][name], second[k][name]) for k in first for name in first[k])


def kept_file(base, kind: Kind) -> Path:
    name = f"importance-{kind}-{records.IMPORTANCE_IMAGES}"
    return record_file(base[0], DATA, name, "safetensors")


def test_the_record_is_of_all_training_images(base) -> None:
    for kind, found in read(base).items():
        *_, expected = importance(base[1], tiny.images(DATA), kind)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=1e-3, atol=0)


def test_the_record_is_of_a_fixed_sample_where_there_are_many(
    base, measured: list[Images], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "IMPORTANCE_IMAGES", 20)
    read(base)
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
    assert [part.indices.tolist() for part in measured] == [order[:20].tolist()] * 2


def test_the_record_is_measured_once_and_again_if_broken(base, measured: list[Images]) -> None:
    first = read(base)
    assert len(measured) == 2
    assert same(first, read(base))
    assert len(measured) == 2
    for kind, damage in zip(KINDS, (b"", b"\x08" * 99), strict=True):
        kept_file(base, kind).write_bytes(damage)
    assert same(first, read(base))
    assert len(measured) == 4
    other = tiny.dataset(seed=5)
    assert not same(first, read(base, other))  # of these pixels, not of any
    assert len(measured) == 6


def test_the_record_of_another_network_is_not_taken(base, measured: list[Images]) -> None:
    first = read(base)
    file = kept_file(base, "output_norm")
    values = load_file(file)
    values["head.weight"] = values["head.weight"][:, :-1].contiguous()
    save_file(values, file)
    assert same(first, read(base))
    assert len(measured) == 3


def test_a_record_shipped_beside_the_weights_comes_first(base, measured: list[Images]) -> None:
    first = read(base)
    for kind in KINDS:
        kept = kept_file(base, kind)
        kept.rename(base[0].weights.with_name(kept.name))
    assert same(first, read(base))
    assert len(measured) == 2
    shipped = base[0].weights.with_name(kept_file(base, "output_norm").name)
    shipped.write_bytes(shipped.read_bytes()[:-10])
    assert same(first, read(base))
    assert len(measured) == 3
