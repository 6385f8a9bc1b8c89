"""Forget sets that are hard to forget, by name: what `core.robustness.forget_sets` needs is read
from a base, its folds, and the scores of the data set."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from core.checkpoints.memorisation import LEAVE_OUT, memorisation_scores
from core.checkpoints.records import stored_records
from core.checkpoints.storage import find
from core.data.dataset import ImageDataset
from core.data.images import Images
from core.data.requests import FOLDS, ForgetRequest
from core.data.splits import split
from core.errors import BadRequest, CheckpointMissing
from core.evaluation import per_image
from core.ideal import LARGEST_SHARE, fold_models
from core.metrics.evidence import Outcome
from core.models.precision import best_device
from core.robustness.forget_sets import highest, left_behind, neighbours, worst_case
from core.runs.plan import Plan
from core.runs.robust import Show
from core.runs.task import prepare

Hard = Literal["most-memorised", "least-memorised", "neighbours", "twins", "worst"]
HARD: tuple[Hard, ...] = get_args(Hard)


def hard_set(
    kind: Hard, count: int, plan: Plan, dataset: ImageDataset, show: Show, of_class: str = ""
) -> ForgetRequest:
    """So many images that are hard to forget, as a request for chosen images.

    kind: "most-memorised" or "least-memorised", by the ten folds' scores; "neighbours", whole pairs
    of mutual nearest neighbours among the base's features, or "twins", one of each pair; "worst",
    the set of which the plan's method left most when it forgot each fold in turn, of each class at
    most a fifth, so that the folds are an ideal for it. plan: its request is not looked at.
    of_class: only images of this class, all by default; not for the worst. Raises LabError.
    """
    among = split(dataset, ForgetRequest.of_classes(of_class)).forget if of_class else None
    if kind in ("most-memorised", "least-memorised"):
        scores = memorisation_scores(dataset, LEAVE_OUT)
        if scores is None:
            raise _no_folds()
        return highest(scores, count, among, least=kind == "least-memorised")
    if kind == "worst":
        if among is not None:
            raise BadRequest("The worst case is of all classes.", "Leave the class out.")
        left = left_of_each(plan, dataset, show)
        return worst_case(left, dataset.train_labels.numpy(), count, LARGEST_SHARE)
    base = find(plan.model, plan.dataset, plan.base)
    model = base.load(best_device())
    read = stored_records(base, model, dataset, frozenset({"features"}))["features"]
    every = torch.arange(len(dataset.train_labels))
    features = read(Images(dataset.train_images, dataset.train_labels, every)).numpy()
    return neighbours(features, count, among, split=kind == "twins")


def left_of_each(plan: Plan, dataset: ImageDataset, show: Show) -> NDArray[np.float64]:
    """What a method left of each training image when it forgot the image's fold: see `left_behind`.
    Raises LabError."""
    folds = fold_models(plan.model, dataset)
    if folds is None:
        raise _no_folds()
    images, labels = dataset.train_images, dataset.train_labels
    after = Outcome.blank(len(labels), len(dataset.class_names))
    for fold in range(FOLDS):
        task = prepare(
            dataclasses.replace(plan, request=ForgetRequest.of_fold(fold)), dataset=dataset
        )
        model, steps = task.start()
        for step in steps:
            show(f"forgetting fold {fold + 1} of {FOLDS}", step.done, step.total)
        chosen = torch.from_numpy(task.parts.forget)
        after.put(task.parts.forget, per_image(model, images[chosen], labels[chosen]))
    return left_behind(after, folds.references(dataset, task.parts)[0])


def _no_folds() -> CheckpointMissing:
    return CheckpointMissing(
        "The models of all ten folds are not on this machine.",
        "Train them: python -m core train --without fold:0, and so on to fold:9.",
    )
