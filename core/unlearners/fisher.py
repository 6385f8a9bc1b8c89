"""Fisher forgetting: noise on every weight, the more the less the images to keep need it.

Which variance s2 of a weight's noise is best when it costs the images to keep F s2 / 2 and leaves
information 1 / s2 about the rest? s2 = sqrt(alpha / F): so the noise falls with the fourth root of
the Fisher information F of the weight, alpha setting how much of it there is.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from core.curvature.fisher import fisher_factors
from core.curvature.products import unflat
from core.errors import Diverged
from core.models.classifier import Classifier
from core.unlearners.base import Steps, Unlearner, UnlearningData, parameter
from core.unlearners.common.counting import Counted
from core.unlearners.common.draw import steps_for, stream
from core.unlearners.common.parameters import batch


@dataclass(frozen=True)
class Fisher(Unlearner):
    """theta <- theta + alpha^(1/4) (F_R + damping mean(F_R))^(-1/4) e, e standard normal.

    F_R is the diagonal of the Fisher information on R: the mean squared gradient for labels drawn
    from the network's own softmax, from one gradient a batch (see `curvature.fisher_factors`). The
    damping keeps a weight that no image needs from infinite noise. Every layer is treated alike;
    BatchNorm's scales get noise too, its running statistics stay.
    """

    name, label, group = "fisher", "Fisher forgetting", "second-order"
    needs = frozenset({"retain"})
    sentence = (
        "Adds noise to every weight, most where the images to keep do not need it. The noise hits "
        "what is kept too, so quality falls."
    )
    paper = "Golatkar, Achille & Soatto, CVPR 2020, arXiv 1911.04933"

    alpha: float = parameter(
        1e-11,
        "Noise",
        "How much noise: more forgets more and costs accuracy.",
        1e-16,
        1.0,
        log=True,
    )
    damping: float = parameter(
        0.1,
        "Damping",
        "Added to every weight's Fisher information, as a share of their mean.",
        1e-6,
        100.0,
        log=True,
    )
    epochs: float = parameter(
        0.3,
        "Passes",
        "How much of the images to keep is read to find out which weights they need.",
        0.01,
        10,
        log=True,
    )
    batch_size: int = batch(64)

    def run(self, model: Classifier, data: UnlearningData, generator: torch.Generator) -> Steps:
        count = max(2, steps_for(data.retain, self.epochs, self.batch_size))
        retain_generator = stream(generator, "retain")
        factors = fisher_factors(model, data.retain, count, self.batch_size, retain_generator)
        diagonal = torch.zeros(sum(weight.numel() for weight in model.parameters()))
        counted = Counted(count + 1)
        for factor in factors:
            diagonal = diagonal.to(factor.device).addcmul_(factor, factor)
            yield counted.step("importance")
        diagonal += self.damping * diagonal.mean()
        noise = torch.randn(diagonal.shape, generator=stream(generator, "noise"))
        move = (self.alpha / diagonal) ** 0.25 * noise.to(diagonal.device)
        if not move.isfinite().all():
            raise Diverged("No weight matters to the images to keep: there is nothing to scale by.")
        weights = list(model.parameters())
        with torch.no_grad():
            for weight, change in zip(weights, unflat(move, weights), strict=True):
                weight.add_(change)
        yield counted.step("noise")
