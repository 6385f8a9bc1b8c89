"""The discriminant judged as what it is: the last layer of a network.

It forgets exactly what it counted. But the features that it counted come from a network that
learned from the images to forget, and keep what it learned.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from core.checkpoints.spread import retraining_spread
from core.checkpoints.storage import Checkpoint
from core.evaluation import measure
from core.graphical.forgetting import Forgotten
from core.graphical.measuring import evidence_of
from core.graphical.registry import NETWORK, features_of
from core.graphical.task import ORDER, Which
from core.ideal import find_reference
from core.metrics.measures import Evaluation
from core.metrics.metric import Metric
from core.metrics.registry import METRICS
from core.verdict import Verdict, judge


@dataclass(frozen=True, eq=False)
class InNetwork:
    """measured: before and after with the features that learned from the images to forget;
    retrained is another network, which never saw them, with a discriminant on its own features.
    verdict: of `after` against that."""

    measured: Mapping[Which, Evaluation]
    verdict: Verdict | None


def retrained_network(done: Forgotten) -> Checkpoint | None:
    """A network retrained without the forget set whose weights are kept, None where none is."""
    found = find_reference(NETWORK, done.task.dataset, done.task.split)
    return None if found is None or found.manifest.get("keep") == "logits" else found


def in_network(
    done: Forgotten,
    network: Checkpoint,
    metrics: Collection[Metric] = tuple(METRICS.values()),
    after_batch: Callable[[], None] | None = None,
) -> InNetwork:
    """done: of the discriminant. network: see `retrained_network`. after_batch: see
    `core.evaluation.logits_of`."""
    task = done.task
    sides = features_of(network, task.dataset, after_batch)
    model = task.fit(sides.train.at(task.split.retain))
    ideal = evidence_of(model, task, sides)

    before, after = (
        measure(evidence_of(done.models[which], task, ideal=ideal), metrics) for which in ORDER[:2]
    )
    retrained = measure(ideal, metrics)
    whole = bool(task.split.whole_classes)
    spread = retraining_spread(NETWORK, task.dataset.name, whole)
    return InNetwork(
        {"before": before, "after": after, "retrained": retrained},
        judge(before, after, retrained, spread),
    )
