"""Evaluation: one pass over a model, and every number made from it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from core.data.dataset import ImageDataset
from core.data.requests import ForgetRequest
from core.data.splits import Split, split
from core.errors import Cancelled
from core.evaluation import Passes, evaluate, evaluate_model, per_image
from core.metrics.evidence import Outcome

NAMES = ("cat", "dog", "frog")


class Net(nn.Module):
    """A small convolutional net with BatchNorm and dropout, which both behave otherwise in
    training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(4, len(NAMES))

    def features(self, x: torch.Tensor) -> torch.Tensor:
        assert x.dtype == torch.uint8
        return self.drop(self.norm(self.conv(x.float() / 255)).amax((2, 3)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x))


@pytest.fixture(scope="module")
def dataset() -> ImageDataset:
    generator = torch.Generator().manual_seed(0)

    def images(n: int) -> torch.Tensor:
        return torch.randint(256, (n, 3, 32, 32), dtype=torch.uint8, generator=generator)

    return ImageDataset(
        name="noise",
        train_images=images(120),
        train_labels=torch.arange(120) % 3,
        test_images=images(60),
        test_labels=torch.arange(60) % 3,
        class_names=NAMES,
        fingerprint="0" * 64,
        source="Random pixels.",
    )


@pytest.fixture
def model() -> Net:
    torch.manual_seed(0)
    return Net()


def test_per_image_is_the_loss_in_evaluation_mode(model, dataset):
    outcome = per_image(model, dataset.test_images, dataset.test_labels, batch_size=7)
    model.eval()
    with torch.no_grad():
        logits = model(dataset.test_images)
    expected = nn.functional.cross_entropy(logits, dataset.test_labels, reduction="none")
    assert outcome.losses == pytest.approx(expected.numpy(), abs=1e-5)
    assert outcome.losses.dtype == np.float32
    assert outcome.predictions.tolist() == logits.argmax(1).tolist()
    assert outcome.predictions.dtype == np.int64


def test_per_image_leaves_the_model_as_it_was(model, dataset):
    model.train()
    model.norm.eval()  # frozen statistics, as a method may have them
    before = {name: value.clone() for name, value in model.state_dict().items()}
    per_image(model, dataset.test_images, dataset.test_labels)
    assert [m.training for m in (model, model.conv, model.norm, model.drop)] == [1, 1, 0, 1]
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    random = torch.get_rng_state()
    per_image(model, dataset.test_images, dataset.test_labels)
    assert torch.equal(random, torch.get_rng_state())


def test_per_image_stops_within_a_batch_and_restores_the_mode(model, dataset):
    model.train()
    batches = 0

    def after_batch() -> None:
        nonlocal batches
        batches += 1
        if batches == 2:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        per_image(model, dataset.test_images, dataset.test_labels, 10, after_batch=after_batch)
    assert batches == 2
    assert model.training


def test_per_image_of_nothing(model):
    outcome = per_image(model, torch.zeros(0, 3, 32, 32, dtype=torch.uint8), torch.zeros(0).long())
    assert outcome.losses.shape == outcome.predictions.shape == (0,)


def test_per_image_takes_half_precision_logits_as_float32(dataset):
    class Half(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x).bfloat16()

    torch.manual_seed(0)
    outcome = per_image(Half(), dataset.test_images, dataset.test_labels)
    assert outcome.losses.dtype == np.float32


def by_hand() -> tuple[Outcome, Outcome, torch.Tensor, torch.Tensor, Split]:
    train_labels = torch.tensor([0] * 20 + [1] * 20 + [2] * 20)
    test_labels = torch.tensor([0] * 10 + [1] * 10 + [2] * 10)
    predictions = train_labels.numpy().copy()
    predictions[:5] = 1  # 5 of 20 forget images wrong
    predictions[20:22] = 0  # 2 of 40 retain images wrong
    test_predictions = test_labels.numpy().copy()
    test_predictions[:4] = 2  # 4 of 10 test images of the forgotten class wrong
    test_predictions[10] = 2  # 1 of 20 of the others
    train = Outcome(np.linspace(0, 1, 60, dtype=np.float32), predictions)
    test = Outcome(np.linspace(2, 3, 30, dtype=np.float32), test_predictions)
    names = ("cat", "dog", "frog")
    data = ImageDataset(
        name="",
        train_images=torch.empty(0),
        train_labels=train_labels,
        test_images=torch.empty(0),
        test_labels=test_labels,
        class_names=names,
        fingerprint="",
        source="",
    )
    return train, test, train_labels, test_labels, split(data, ForgetRequest.of_classes("cat"))


def test_every_number_by_hand():
    train, test, train_labels, test_labels, views = by_hand()
    result = evaluate(train, test, train_labels, test_labels, views)
    for measure, hits, n in (
        (result["forget_accuracy"], 15, 20),
        (result["retain_accuracy"], 38, 40),
        (result["test_accuracy"], 25, 30),
        (result["retained_test_accuracy"], 19, 20),
        (result["class_matched_test_accuracy"], 6, 10),
    ):
        assert (measure.value, measure.n) == (hits / n, n)
        assert measure.low < measure.value < measure.high
    assert result["mia"] is not None
    assert result["mia_class_matched"] is not None
    assert (result["mia"].value, result["mia"].n, result["mia"].direction) == (
        1.0,
        20,
        "forget lower",
    )
    assert (result["mia_class_matched"].value, result["mia_class_matched"].n) == (1.0, 10)
    assert result["overlap"].value == 0
    assert np.array_equal(result.forget_losses, train.losses[:20])
    assert np.array_equal(result.test_losses, test.losses)
    assert np.array_equal(result.class_matched_losses, test.losses[:10])
    # Arrays and tensors are the same to it.
    same = evaluate(train, test, train_labels.numpy(), test_labels.numpy(), views)
    assert same.metrics() == result.metrics()


def test_the_same_losses_on_both_sides_overlap_fully():
    train, test, train_labels, test_labels, views = by_hand()
    train = Outcome(np.tile(test.losses[:10], 6), train.predictions)
    test = Outcome(np.tile(test.losses[:10], 3), test.predictions)
    result = evaluate(train, test, train_labels, test_labels, views)
    assert result["overlap"].value == pytest.approx(1)
    assert result["mia"] is not None
    assert result["mia"].direction == "none"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_diverged_model_still_gets_its_accuracies(bad):
    train, test, train_labels, test_labels, views = by_hand()
    train = Outcome(np.full(60, bad, np.float32), train.predictions)
    test = Outcome(np.full(30, bad, np.float32), test.predictions)
    result = evaluate(train, test, train_labels, test_labels, views)
    assert result["forget_accuracy"].value == 0.75
    assert result["mia"] is not None
    assert result["mia"].value == 0.5
    assert result["overlap"].value == 1
    json.dumps(result.metrics(), allow_nan=False)


def test_small_and_empty_views_do_not_stop_it():
    train, test, train_labels, test_labels, views = by_hand()
    nothing = np.zeros(0, np.int64)
    small = Split(np.arange(3), np.arange(3, 60), views.test, nothing, nothing)
    result = evaluate(train, test, train_labels, test_labels, small)
    assert result["mia"] is None
    assert result["mia_class_matched"] is None
    assert (result["forget_accuracy"].value, result["forget_accuracy"].n) == (0, 3)
    assert math.isnan(result["retained_test_accuracy"].value)
    metrics = json.loads(json.dumps(result.metrics(), allow_nan=False))
    assert metrics["mia"] is None
    assert metrics["class_matched_test_accuracy"]["value"] is None


def test_evaluate_model_puts_it_together(model, dataset):
    views = split(dataset, ForgetRequest.random(0.25))
    batches = []
    result = evaluate_model(model, dataset, views, after_batch=lambda: batches.append(1))
    assert len(batches) == 3  # 64 + 56 training images, 40 test images
    train = per_image(model, dataset.train_images, dataset.train_labels)
    test = per_image(model, dataset.test_images, dataset.test_labels)
    inside = Passes(model, dataset, views).samples()
    again = evaluate(train, test, dataset.train_labels, dataset.test_labels, views, inside)
    assert result.metrics() == again.metrics()
    assert (result["forget_accuracy"].n, result["retain_accuracy"].n) == (30, 90)


def test_each_image_passes_once(model, dataset):
    views = split(dataset, ForgetRequest.random(0.25))
    passes = Passes(model, dataset, views)
    batches: list[int] = []
    model.conv.register_forward_pre_hook(lambda _, images: batches.append(len(images[0])))
    passes.see("train", views.forget)
    every = len(dataset.train_labels) + len(dataset.test_labels)
    assert passes.share == pytest.approx(len(views.forget) / every)
    assert np.isnan(passes.train.losses).sum() == len(views.retain)
    samples = passes.samples()
    passes.see("train")
    passes.see("test")
    mirrored = sum(len(s.mirrored.labels) for s in samples.values() if s.mirrored)
    assert sum(batches) == every + mirrored
    assert passes.share == 1
    for side in ("train", "test"):
        images, labels = (getattr(dataset, f"{side}_{what}") for what in ("images", "labels"))
        expected = per_image(model, images, labels)
        np.testing.assert_allclose(getattr(passes, side).logits, expected.logits, atol=1e-3)
    model.eval()
    with torch.inference_mode():
        of_forget = model.features(dataset.train_images[torch.from_numpy(views.forget)])
    np.testing.assert_allclose(samples["forget"].features, of_forget.numpy(), atol=1e-5)
