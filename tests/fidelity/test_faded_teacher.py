"""Faded teacher against its loss written out; its teacher is CF-k's network, bit for bit."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F

from core.data.requests import ForgetRequest
from core.data.splits import split
from core.models.classifier import Classifier
from core.training.augmentation import augment
from core.training.optimisers import make_optimiser
from core.unlearners import make
from core.unlearners.base import Step, UnlearningData
from core.unlearners.common.draw import stream
from core.unlearners.common.losses import divergence
from tests import tiny

pytestmark = pytest.mark.usefixtures("small_compact")

DATA = tiny.dataset()
PARTS = split(DATA, ForgetRequest.random(16))
SMALL = {
    "faded_teacher": {"fading": 10, "fading_rate": 0.7, "epochs": 12, "batch_size": 16},
}


@pytest.fixture(scope="module")
def base(small_compact: None) -> Classifier:
    return tiny.trained(tiny.images(DATA)).model


def offered() -> UnlearningData:
    parts = {name: tiny.images(DATA, getattr(PARTS, name)) for name in ("retain", "forget")}
    return UnlearningData(parts, "compact", 10, tiny.SHORT)


def unlearn(base: Classifier, method: str, **settings: float) -> tuple[Classifier, list[Step]]:
    model = copy.deepcopy(base)
    made = make(method, settings)
    return model, list(made.run(model, offered(), torch.Generator().manual_seed(0)))


def faded_by(base: Classifier, fading: float, fading_rate: float, batch_size: int) -> Classifier:
    """The teacher: what CF-k with these settings and the same seed gives."""
    settings = {"epochs": fading, "learning_rate": fading_rate, "batch_size": batch_size}
    return unlearn(base, "cf_k", blocks=3, **settings)[0].eval()


def test_a_step_is_the_loss_written_out(base: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    # Any order of the sums is the same there.
    monkeypatch.setenv("FORGETTING_LAB_PRECISION", "float32")
    fading = {"fading": 1, "fading_rate": 0.1, "batch_size": 16}
    learning = {"epochs": 1, "learning_rate": 0.05, "temperature": 2.0, "kept_per_forgotten": 3}
    found, steps = unlearn(base, "faded_teacher", **fading, **learning)
    assert [step.phase for step in steps] == [
        *["fading a copy"] * 3,
        "asking the copy",
        "unlearning",
    ]
    seeded = torch.Generator().manual_seed(0)
    images, forget = DATA.train_images, torch.from_numpy(PARTS.forget)
    order = torch.randperm(48, generator=stream(seeded, "rehearsal"))
    draws = stream(seeded, "augmentation")
    kept = augment(images[torch.from_numpy(PARTS.retain)[order]], tiny.SHORT.crop, draws)
    teacher, model = faded_by(base, **fading), copy.deepcopy(base).train()
    with torch.no_grad():
        own, faded = base.eval()(kept) / 2, teacher(images[forget])
    still = model.stages()[:-3]
    for stage in still:
        stage.eval().requires_grad_(False)
    logits = model(torch.cat([kept, images[forget]]))
    held = F.kl_div((logits[:48] / 2).log_softmax(1), own.softmax(1), reduction="batchmean")
    taught = F.kl_div(logits[48:].log_softmax(1), faded.softmax(1), reduction="batchmean")
    loss = 2**2 * held + taught
    loss.backward()
    make_optimiser(model, 0.05, 0.9).step()
    assert steps[-1].loss == pytest.approx(float(loss.detach()), rel=1e-4)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], value, rtol=1e-3, atol=2e-5)


def test_it_takes_the_answers_and_leaves_the_damage(base: Classifier) -> None:
    """On what is to be forgotten it comes near the faded copy; what it keeps, it knows better."""
    settings = SMALL["faded_teacher"]
    found = unlearn(base, "faded_teacher", **settings)[0].eval()
    teacher = faded_by(base, settings["fading"], settings["fading_rate"], settings["batch_size"])
    base.eval()
    with torch.inference_mode():
        forget, retain = (DATA.train_images[which] for which in (PARTS.forget, PARTS.retain))
        taught = teacher(forget)
        before, after = divergence(taught, base(forget)), divergence(taught, found(forget))
        assert after.mean() < 0.3 * before.mean()
        own = base(retain)
        assert divergence(own, found(retain)).mean() < divergence(own, teacher(retain)).mean()
