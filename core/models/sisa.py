"""The ensemble that is trained in shards."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from core.models.classifier import Classifier
from core.models.compact import Compact


class Sisa(Classifier):
    """The ensemble of SISA training (Bourtoule et al. 2021, arXiv 1912.03817): each member has
    learned one shard of the images, see `core.training.shards`. It has no features, stages or
    head of its own.

    The vote is the mean of the members' class probabilities (section IV of the paper names it
    beside the majority, whose loss would be infinite where no member is right). Its logits are the
    vote's logarithm, so that softmax(logits) is the vote.
    """

    SHARDS = 4
    NARROWER = 2  # four networks of half the width cost about what one `compact` does

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.members = nn.ModuleList(Compact(classes, self.NARROWER) for _ in range(self.SHARDS))

    def forward(self, images: Tensor) -> Tensor:
        votes = torch.stack([member(images).float().log_softmax(1) for member in self.members])
        return votes.logsumexp(0) - math.log(len(self.members))
