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
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.data.images import Images
from core.models.classifier import Classifier
from core.unlearners.base import Steps, Unlearner, UnlearningData, parameter
from core.unlearners.common.descent import Phase, in_phases, sgd_phase
from core.unlearners.common.draw import Draw, in_order, steps_for, take
from core.unlearners.common.losses import divergence, logits
from core.unlearners.common.networks import device_of, freeze_batchnorm, frozen_copy
from core.unlearners.common.parameters import batch, rate, sgd_momentum


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
    help = "Passes over the images to keep in each round."
    return parameter(default, "Share to keep", help, 0.001, 10, log=True)


@dataclass(frozen=True)
class Scrub(Unlearner):
    """Each round is a max pass over F, in the first `max_rounds`, and a min pass over a share of R.
    Every pass starts SGD anew, its rate along a cosine to 0."""

    name, label, group = "scrub", "SCRUB", "teacher-student"
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
    forget_rate: float = rate(
        3e-3,
        "How far each step on the images to forget moves: a little too much ruins the model.",
        low=1e-6,
        label="Forgetting rate",
    )
    retain_rate: float = rate(
        0.02, "How far each step on the images to keep moves.", low=1e-6, label="Keeping rate"
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
    momentum: float = sgd_momentum()
    batch_size: int = batch()

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        draw = Draw(generator, device_of(model))
        rounds = self.passes(model, data.retain, data.forget, draw)
        yield from in_phases(*(phase for phases in rounds for phase in phases))

    def passes(
        self, model: Classifier, retain: Images, forget: Images, draw: Draw
    ) -> list[list[Phase]]:
        """The phases of each round."""
        teacher = frozen_copy(model)
        retain_batches = draw.batches(retain, "retain", self.batch_size)
        forget_batches = draw.batches(forget, "forget", self.batch_size)

        def away() -> Iterator[Tensor]:
            for x, _ in forget_batches:
                model.train()
                if len(x) == 1:  # one image has no statistics
                    freeze_batchnorm(model)
                with batch_statistics(model):
                    outputs = logits(model, x)
                yield -divergence(logits(teacher, x), outputs, self.temperature).mean()

        def close() -> Iterator[Tensor]:
            for x, y in retain_batches:
                model.train()
                outputs = logits(model, x)
                loss = self.gamma * F.cross_entropy(outputs, y)
                if self.alpha > 0:
                    distillation = divergence(logits(teacher, x), outputs, self.temperature).mean()
                    loss = loss + self.alpha * distillation
                yield loss

        def phase(name: str, losses: Iterator[Tensor], total: int, rate: float) -> Phase:
            return sgd_phase(name, model, losses, total, rate, self.momentum)

        max_steps = forget.steps(self.batch_size)
        min_steps = steps_for(retain, self.retain_share, self.batch_size)
        return [
            [phase("forgetting", away(), max_steps, self.forget_rate)] * (round < self.max_rounds)
            + [phase("keeping", close(), min_steps, self.retain_rate)]
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

    name, label = "scrub_r", "SCRUB+R"
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

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        draw = Draw(generator, device_of(model))
        retain, held_out = self._hold_out(data, draw)
        forget = draw.sample(data.forget, self.held_out, "measured")
        states: list[dict[str, Tensor]] = []
        errors: list[float] = []

        def keep_round() -> Iterator[None]:
            mistakes: list[Tensor] = []
            yield from self._mistakes(model, forget, mistakes)
            errors.append(float(torch.cat(mistakes).mean()))
            states.append({name: value.clone() for name, value in model.state_dict().items()})

        def rewind() -> Iterator[None]:
            goal = _expected_error(data.forget, held_out, held_out_mistakes)
            gaps = [abs(error - goal) for error in errors]
            last_nearest = max(k for k, gap in enumerate(gaps) if gap == min(gaps))
            model.load_state_dict(states[last_nearest])
            yield None

        phases: list[Phase] = []
        for passes in self.passes(model, retain, data.forget, draw):
            phases += [*passes, Phase("measuring", forget.steps(self.batch_size), keep_round())]
        held_out_mistakes: list[Tensor] = []
        measuring = self._mistakes(model, held_out, held_out_mistakes)
        phases.append(Phase("measuring", held_out.steps(self.batch_size), measuring))
        yield from in_phases(*phases, Phase("rewinding", 1, rewind()))

    def _hold_out(self, data: UnlearningData, draw: Draw) -> tuple[Images, Images]:
        """The retain images to train on, and those kept aside."""
        retain = data.retain
        order = torch.randperm(len(retain), generator=draw.stream("held out"))
        labels = retain.labels[retain.indices[order]]
        held_out = torch.zeros(len(retain), dtype=torch.bool)
        for label, share in _class_shares(data.forget).items():
            of_class = order[labels == label]
            held_out[of_class[: min(math.ceil(share * self.held_out), len(of_class) // 2)]] = True
        return take(retain, ~held_out), take(retain, held_out)

    def _mistakes(self, model: Classifier, part: Images, mistakes: list[Tensor]) -> Iterator[None]:
        """Adds to `mistakes`, batch by batch, 1 for each image taken for another class, else 0."""
        for positions in in_order(part, self.batch_size):
            x, y = part.batch(positions, device_of(model))
            model.eval()
            with torch.inference_mode():
                mistakes.append((model(x).argmax(1) != y).float().cpu())
            yield None


def _class_shares(part: Images) -> dict[int, float]:
    """Each class's share of the images; all add up to 1."""
    classes, counts = torch.unique(part.labels[part.indices], return_counts=True)
    return dict(zip(classes.tolist(), (counts / len(part)).tolist(), strict=True))


def _expected_error(forget: Images, held_out: Images, batches: list[Tensor]) -> float:
    """The held-out error in the proportions of the forget set's classes; 1 for a class of which
    nothing is held out."""
    labels = held_out.labels[held_out.indices]
    mistakes = torch.cat(batches) if batches else torch.zeros(0)
    errors = {
        label: float(mistakes[labels == label].mean()) if (labels == label).any() else 1.0
        for label in _class_shares(forget)
    }
    return sum(share * errors[label] for label, share in _class_shares(forget).items())
