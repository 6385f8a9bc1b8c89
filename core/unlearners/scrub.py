"""SCRUB: a student that disobeys the original network on the forget set and obeys it on the rest.

With T the original network, frozen, S the student, which starts as T, and d(x) the divergence
KL(T(x) || S(x)) at a temperature, passes alternate:
max: S <- S + eta_F grad mean over F of d(x);
min: S <- S - eta_R grad mean over R of (alpha d(x) + gamma CE(S(x), y)).

In the paper both have one rate and a min pass is all of R; equal rates and a share of 1 are that.
At S = T the gradient of d is 0: a max pass would never leave it. As in the paper BatchNorm
therefore normalises the forget images by their batch in S and by the running statistics in T; but
the running statistics themselves follow the retain images alone.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.data.images import Images
from core.models.classifier import Classifier
from core.unlearners.bad_teacher import divergence, frozen_copy, predict
from core.unlearners.base import Step, Unlearner, UnlearningData, parameter
from core.unlearners.common.descent import (
    batches,
    descend,
    freeze_batchnorm,
    in_phases,
    steps_for,
    stream,
)

Phase = tuple[int, Iterator[Step]]
"""How many steps it has, and the steps."""


@contextlib.contextmanager
def batch_statistics(model: Classifier) -> Iterator[None]:
    """In training mode, BatchNorm uses the statistics of the batch and keeps nothing of them."""
    layers = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for layer in layers:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in layers:
            layer.track_running_stats = True


def _retain_share(default: float) -> float:
    found: float = parameter(
        default,
        "Share to keep",
        "Passes over the images to keep in each round.",
        0.001,
        10,
        log=True,
        presets={"class": 0.1},
    )
    return found


@dataclass(frozen=True)
class Scrub(Unlearner):
    """Each round is a max pass over F, in the first `max_rounds`, and a min pass over a share of R.
    Every pass starts SGD anew, its rate along a cosine to 0."""

    name = "scrub"
    label = "SCRUB"
    group = "teacher-student"
    precision = "float32"  # tuned near its edge in it: a step too far ruins the model
    needs = frozenset({"retain", "forget"})
    sentence = (
        "Drives the answers on the images to forget away from the original model's, in turns with "
        "training on the others that repairs the damage: it costs some passes over both."
    )
    paper = "Kurmanji et al., NeurIPS 2023, arXiv 2302.09880"

    rounds: int = parameter(3, "Rounds", "How often forgetting and keeping take turns.", 1, 20)
    max_rounds: int = parameter(
        2, "Forgetting rounds", "In how many of the rounds, the first ones, it forgets.", 0, 20
    )
    retain_share: float = _retain_share(0.07)
    forget_rate: float = parameter(
        3e-3,
        "Forgetting rate",
        "How far each step on the images to forget moves: a little too much ruins the model.",
        1e-6,
        1.0,
        log=True,
        presets={"class": 1e-3},
    )
    retain_rate: float = parameter(
        0.02, "Keeping rate", "How far each step on the images to keep moves.", 1e-6, 1.0, log=True
    )
    alpha: float = parameter(
        0.001,
        "Obedience",
        "How much it follows the original model's answers on the images to keep.",
        0,
        10,
    )
    gamma: float = parameter(
        0.99, "Labels", "How much it follows the labels of the images to keep.", 0, 10
    )
    temperature: float = parameter(
        4.0, "Temperature", "Higher gives unlikely answers more weight.", 0.1, 20
    )
    momentum: float = parameter(0.9, "Momentum", "How much of the last step carries on.", 0, 0.99)
    batch_size: int = parameter(128, "Batch size", "Images a step.", 8, 1024, log=True)

    def run(
        self, model: Classifier, data: UnlearningData, generator: torch.Generator
    ) -> Generator[Step, None, None]:
        rounds = self._rounds(model, data.retain, data.forget, generator)
        yield from in_phases(*(phase for phases in rounds for phase in phases))

    def _rounds(
        self, model: Classifier, retain: Images, forget: Images, generator: torch.Generator
    ) -> list[list[Phase]]:
        """The passes of each round."""
        teacher = frozen_copy(model)
        keep = batches(retain, "retain", self.batch_size, generator, model)
        drop = batches(forget, "forget", self.batch_size, generator, model)

        def away() -> Iterator[Tensor]:
            for images, _ in drop:
                model.train()
                if len(images) == 1:  # one image has no statistics
                    freeze_batchnorm(model)
                with batch_statistics(model):
                    logits = predict(model, images)
                yield -divergence(predict(teacher, images), logits, self.temperature).mean()

        def close() -> Iterator[Tensor]:
            for images, labels in keep:
                model.train()
                logits = predict(model, images)
                loss = self.gamma * F.cross_entropy(logits, labels)
                if self.alpha > 0:
                    target = predict(teacher, images)
                    loss = loss + self.alpha * divergence(target, logits, self.temperature).mean()
                yield loss

        def phase(
            losses: Iterator[Tensor], part: Images, passes: float, rate: float, name: str
        ) -> Phase:
            total = steps_for(part, passes, self.batch_size)
            return total, descend(model, losses, total, rate, self.momentum, phase=name)

        return [
            [phase(away(), forget, 1, self.forget_rate, "forgetting")] * (round < self.max_rounds)
            + [phase(close(), retain, self.retain_share, self.retain_rate, "keeping")]
            for round in range(self.rounds)
        ]


@dataclass(frozen=True)
class ScrubRewind(Scrub):
    """SCRUB+R: goes back to the round whose forget error is the nearest to the error, after the
    last round, on held-out images of the forget set's classes in its proportions.

    Held out are retain images that are kept aside, up to half of a class. The original network was
    trained on them, unlike on the paper's validation set: their error is lower than that of images
    never seen, which makes the rewind cautious. A class with less than two retain images counts as
    always wrong, as it is to a network that never saw it. The rounds' weights are kept in memory.
    """

    name = "scrub_r"
    label = "SCRUB+R"
    sentence = (
        "SCRUB that afterwards goes back to the round at which the images to forget were as often "
        "wrong as images it no longer trained on: neither remembered nor suspiciously unknown."
    )

    retain_share: float = _retain_share(0.065)
    held_out: int = parameter(
        1000,
        "Held-out images",
        "So many images to keep are set aside to compare with as many to forget.",
        10,
        10_000,
        log=True,
    )

    def run(
        self, model: Classifier, data: UnlearningData, generator: torch.Generator
    ) -> Generator[Step, None, None]:
        kept, aside = self._hold_out(data, generator)
        order = torch.randperm(len(data.forget), generator=stream(generator, "measured"))
        forget = _some(data.forget, order[: self.held_out])
        states: list[dict[str, Tensor]] = []
        errors: list[float] = []

        def keep_round() -> Iterator[Step]:
            wrong: list[Tensor] = []
            yield from self._mistakes(model, forget, wrong)
            errors.append(float(torch.cat(wrong).mean()))
            states.append({name: value.clone() for name, value in model.state_dict().items()})

        def rewind() -> Iterator[Step]:
            wrong: list[Tensor] = []
            yield from self._mistakes(model, aside, wrong)
            goal = _expected_error(data.forget, aside, wrong)
            gaps = [abs(error - goal) for error in errors]
            last_nearest = max(k for k, gap in enumerate(gaps) if gap == min(gaps))
            model.load_state_dict(states[last_nearest])
            yield Step(aside.steps(self.batch_size) + 1, 0, phase="rewinding")

        phases: list[Phase] = []
        for passes in self._rounds(model, kept, data.forget, generator):
            phases += [*passes, (forget.steps(self.batch_size), keep_round())]
        yield from in_phases(*phases, (aside.steps(self.batch_size) + 1, rewind()))

    def _hold_out(self, data: UnlearningData, generator: torch.Generator) -> tuple[Images, Images]:
        """The retain images to train on, and those kept aside."""
        retain = data.retain
        order = torch.randperm(len(retain), generator=stream(generator, "held out"))
        labels = retain.labels[retain.indices[order]]
        shares = _class_shares(data.forget)
        aside = torch.zeros(len(retain), dtype=torch.bool)
        for label, share in shares.items():
            of_class = order[labels == label]
            aside[of_class[: min(math.ceil(share * self.held_out), len(of_class) // 2)]] = True
        positions = torch.arange(len(retain))
        return _some(retain, positions[~aside]), _some(retain, positions[aside])

    def _mistakes(self, model: Classifier, part: Images, wrong: list[Tensor]) -> Iterator[Step]:
        """Adds to `wrong`, batch after batch, 1 for each image taken for another class, else 0."""
        device = next(model.parameters()).device
        positions = torch.arange(len(part)).split(self.batch_size)  # type: ignore[no-untyped-call]
        for done, chosen in enumerate(positions, 1):
            images, labels = part.batch(chosen, device)
            model.eval()
            with torch.inference_mode():
                wrong.append((model(images).argmax(1) != labels).float().cpu())
            yield Step(done, 0, phase="measuring")


def _some(part: Images, positions: Tensor) -> Images:
    return Images(part.images, part.labels, part.indices[positions])


def _class_shares(part: Images) -> dict[int, float]:
    """How much of it each class is; all add up to 1."""
    classes, counts = torch.unique(part.labels[part.indices], return_counts=True)
    return dict(zip(classes.tolist(), (counts / len(part)).tolist(), strict=True))


def _expected_error(forget: Images, aside: Images, wrong: list[Tensor]) -> float:
    """The held-out error in the proportions of the forget set's classes; 1 for a class of which
    nothing is held out."""
    labels = aside.labels[aside.indices]
    mistakes = torch.cat(wrong) if wrong else torch.zeros(0)
    errors = {
        label: float(mistakes[labels == label].mean()) if (labels == label).any() else 1.0
        for label in _class_shares(forget)
    }
    return sum(share * errors[label] for label, share in _class_shares(forget).items())
