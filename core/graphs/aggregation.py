"""How an ensemble's networks answer together: the mean, a majority, or weights that are learned
(LBAggr; Chen et al., CCS 2022, arXiv 2103.14991, section 4.3).

Every function takes the networks' own logits, float32 (networks, n, classes), leaves them as they
are, and gives logits (n, classes).
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import BadSetting

Aggregation = Literal["mean", "majority", "lbaggr"]
AGGREGATIONS: tuple[Aggregation, ...] = get_args(Aggregation)

STEPS = 60
DECAY = 1e-3


def aggregation_named(name: str) -> Aggregation:
    """Raises BadSetting for another name."""
    for known in AGGREGATIONS:
        if known == name:
            return known
    raise BadSetting(f"There is no aggregation {name!r}.", f"There are {', '.join(AGGREGATIONS)}.")


def mean(logits: Tensor) -> Tensor:
    """The logarithm of the mean of the networks' probabilities."""
    return logits.softmax(2).mean(0).log()


def majority(logits: Tensor) -> Tensor:
    """The logarithm of the shares of votes. The mean of the probabilities counts as one vote more,
    so that it breaks ties and no class has none."""
    votes = F.one_hot(logits.argmax(2), logits.shape[2]).sum(0)
    return ((votes + logits.softmax(2).mean(0)) / (len(logits) + 1)).log()


def weighted(logits: Tensor, weights: Tensor) -> Tensor:
    """The mean of the logits by these weights, (networks,)."""
    return torch.einsum("m,mnc->nc", weights, logits)


def learned_weights(logits: Tensor, labels: Tensor) -> Tensor:
    """float32 (networks,), at least 0, their sum 1: those by which the weighted logits have the
    least cross-entropy on nodes with these labels, int64 (n,).

    The loss is of logits, so a softmax is taken once. The weights are themselves a softmax, of
    numbers that start at 0 and are held there a little.
    """
    free = torch.zeros(len(logits), dtype=torch.float64, requires_grad=True)
    known = logits.double()
    optimiser = torch.optim.LBFGS([free], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        found = F.cross_entropy(weighted(known, free.softmax(0)), labels)
        found = found + DECAY * free.square().sum()
        found.backward()  # type: ignore[no-untyped-call]
        return found

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return free.detach().softmax(0).float()
