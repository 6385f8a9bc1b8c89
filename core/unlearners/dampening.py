"""Selective synaptic dampening: weights that matter far more to the forget set than to all training
images are shrunk, once, without any training.

With I_F(i) and I_D(i) the importance of weight i to the forget set and to all training images:
theta_i <- min(lambda I_D(i) / I_F(i), 1) theta_i where I_F(i) > alpha I_D(i).

Since the forget set is n_F of the N images, I_F <= (N / n_F) I_D in theory: an alpha above N / n_F,
10 for a tenth of the images, selects nothing but what I_D, measured on a sample, gets wrong.
BatchNorm's running statistics stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from core.curvature.importance import Kind
from core.models.classifier import Classifier
from core.unlearners.base import Steps, Unlearner, UnlearningData, parameter
from core.unlearners.common.descent import Phase, in_phases
from core.unlearners.common.saliency import measuring_importance


@dataclass(frozen=True)
class SSD(Unlearner):
    """I = the mean over images of (d CE(f(x), y) / d theta)^2, the diagonal Fisher information."""

    name, label, group = "ssd", "SSD (selective dampening)", "weight-editing"
    precision = "float32"  # that of the stored importances
    needs = frozenset({"forget", "importance"})
    draws = False
    sentence = (
        "Finds the weights that matter much more to the images to forget than to all others and "
        "shrinks them, without any training: quick, but what else they did is lost as well."
    )
    paper = "Foster et al., AAAI 2024, arXiv 2308.07707"
    kind: ClassVar[Kind] = "squared_gradient"

    alpha: float = parameter(
        2.0,
        "Selection",
        "How many times more a weight must matter to the images to forget than to all; lower "
        "changes more weights.",
        0.01,
        1e6,
        log=True,
    )
    dampening: float = parameter(
        1.0, "Dampening", "Lower shrinks the selected weights further, 0 removes them.", 0, 10
    )

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        of_all: dict[str, Tensor] = data.record("importance")(self.kind)
        of_forget: dict[str, Tensor] = {}
        yield from in_phases(
            measuring_importance("measuring importance", model, data.forget, self.kind, of_forget),
            Phase("dampening", len(model.stages()), self.dampen(model, of_forget, of_all)),
        )

    def dampen(
        self, model: Classifier, of_forget: dict[str, Tensor], of_all: dict[str, Tensor]
    ) -> Iterator[None]:
        names = {weight: name for name, weight in model.named_parameters()}
        for stage in model.stages():
            with torch.no_grad():
                for weight in stage.parameters():
                    i_f = of_forget[names[weight]]
                    i_d = of_all[names[weight]].to(i_f.device)
                    factor = (self.dampening * i_d / i_f).clamp(max=1)
                    weight.mul_(torch.where(i_f > self.alpha * i_d, factor, 1))
            yield None


@dataclass(frozen=True)
class LFSSD(SSD):
    """I = the mean over images of |d ||f(x)||^2 / d theta|, f(x) the logits: no labels are read."""

    name, label = "lfssd", "LFSSD (dampening without labels)"
    sentence = (
        "Like SSD, but tells which weights matter from how strongly they move the model's answers, "
        "so that it needs no labels; just as quick, and just as blunt."
    )
    paper = "Foster et al., ICLR 2024 Tiny Papers, arXiv 2402.19308"
    kind: ClassVar[Kind] = "output_norm"
