"""A model and a split in, every number out.

The model meets each image once, without augmentation, and a fixed sample of them mirrored; what it
leaves behind (`Evidence`) is kept in numpy, and every registered metric is read from that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from core.data.splits import Indices, Split, drawn
from core.metrics.evidence import Evidence, Outcome, Sample, Samples, Seen
from core.metrics.measures import Evaluation
from core.metrics.metric import Metric
from core.metrics.registry import METRICS
from core.models.modes import evaluating

if TYPE_CHECKING:
    from core.data.dataset import ImageDataset

SAMPLED = {"forget": 2_500, "retain": 4_500, "test": 2_500, "test_retained": 2_500}
"""At most so many images of each set are looked at inside the network."""
MIRRORED = {"forget": 500, "test": 500}
"""Of so many of these the network is asked for the mirror images as well."""
LARGEST_HALF = 65504.0
"""The largest number of float16."""


def outcome_of(logits: Tensor, labels: Tensor) -> Outcome:
    """Of logits (N, classes) and int64 labels (N,). Losses and predictions are of the exact logits;
    the logits are rounded to float16, as files have them, so that what is read from them is the
    same before and after."""
    if not len(labels):
        return Outcome(np.zeros(0, np.float32), np.zeros(0, np.int64), logits.numpy())
    losses = cross_entropy(logits, labels, reduction="none")
    rounded = logits.clamp(-LARGEST_HALF, LARGEST_HALF).half().float()
    return Outcome(losses.numpy(), logits.argmax(1).numpy(), rounded.numpy())


def per_image(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    batch_size: int = 64,
    device: torch.device | None = None,
    after_batch: Callable[[], None] | None = None,
) -> Outcome:
    """Loss and prediction of each image, in the order given; the rest is as in `logits_of`.

    labels: int64 (N,).
    """
    return outcome_of(logits_of(model, images, batch_size, device, after_batch), labels)


def logits_of(
    model: nn.Module,
    images: Tensor,
    batch_size: int = 64,
    device: torch.device | None = None,
    after_batch: Callable[[], None] | None = None,
    read: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """float32 (N, classes) on the CPU, in the order given; never augments.

    images: uint8 (N, 3, 32, 32). device: where the model is, by default. batch_size: on a CPU 64 is
    a tenth faster than 256 and takes 175 MB less.
    after_batch: called after each batch; what it raises (`Cancelled`, say) ends the evaluation.
    read: what is read of a batch in place of the logits (`model.features`, say).
    The model is in evaluation mode meanwhile; afterwards each part has its former mode again.
    """
    if device is None:
        device = next((p.device for p in model.parameters()), torch.device("cpu"))
    outputs = []
    with evaluating(model), torch.inference_mode():
        for batch in images.split(batch_size):  # type: ignore[no-untyped-call]
            outputs.append((read or model)(batch.to(device)).float())
            if after_batch is not None:
                after_batch()
        return torch.cat(outputs).cpu()


class Passes:
    """What a model makes of a data set, where each image passes through it once: its outcome stays
    in `train` or `test`, and of the images that `split` has looked at inside the features as well.

    train, test: of every image; the loss NaN and the prediction -1 of one that has not passed yet.
    """

    def __init__(self, model: nn.Module, dataset: ImageDataset, split: Split) -> None:
        self._model = model
        self._sides = {
            "train": (dataset.train_images, dataset.train_labels),
            "test": (dataset.test_images, dataset.test_labels),
        }
        sets = {
            "train": {"forget": split.forget, "retain": split.retain},
            "test": {"test": split.test_fair, "test_retained": split.test_retained},
        }
        self._chosen = {
            side: {name: drawn(indices, SAMPLED[name]) for name, indices in named.items()}
            for side, named in sets.items()
        }
        self._looked_at = {
            side: np.unique(np.concatenate(list(chosen.values())))
            for side, chosen in self._chosen.items()
        }
        self._features: dict[str, NDArray[np.float32]] = {}
        classes = len(dataset.class_names)
        self.train = Outcome.blank(len(dataset.train_labels), classes)
        self.test = Outcome.blank(len(dataset.test_labels), classes)
        self._passed = {
            side: np.zeros(len(labels), bool) for side, (_, labels) in self._sides.items()
        }

    @property
    def share(self) -> float:
        """Of all images, those that have passed."""
        return float(np.concatenate(list(self._passed.values())).mean())

    def see(
        self,
        side: Literal["train", "test"],
        indices: Indices | slice = slice(None),
        after_batch: Callable[[], None] | None = None,
    ) -> None:
        """Has the images at these indices of the "train" or the "test" images pass, but for those
        that have; all of a side by default. after_batch: see `logits_of`."""
        images, labels = self._sides[side]
        chosen = np.arange(len(labels))[indices]
        chosen = chosen[~self._passed[side][chosen]]
        if not len(chosen):
            return
        seen: list[Tensor] = []

        def read(batch: Tensor) -> Tensor:
            seen.append(cast(Tensor, self._model.features(batch)))  # type: ignore[operator]
            logits: Tensor = self._model.head(seen[-1])  # type: ignore[operator]
            return logits

        new = torch.from_numpy(chosen)
        single = hasattr(self._model, "head")
        logits = logits_of(
            self._model, images[new], after_batch=after_batch, read=read if single else None
        )
        (self.train if side == "train" else self.test).put(chosen, outcome_of(logits, labels[new]))
        self._passed[side][chosen] = True
        if single:
            features = torch.cat(seen).float().cpu().numpy()
            looked_at = self._looked_at[side]
            if side not in self._features:
                shape = len(looked_at), features.shape[1]
                self._features[side] = np.full(shape, np.nan, np.float32)
            kept = np.isin(chosen, looked_at)
            self._features[side][np.searchsorted(looked_at, chosen[kept])] = features[kept]

    def samples(self) -> Samples | None:
        """The penultimate features of a fixed sample of each set, and the outcomes of mirror
        images: the same images for each model that is judged by this split. None of an ensemble,
        which has no single head."""
        if not hasattr(self._model, "head"):
            return None
        samples = {}
        for side, chosen in self._chosen.items():
            images, labels = self._sides[side]
            looked_at = self._looked_at[side]
            self.see("train" if side == "train" else "test", looked_at)
            for name, indices in chosen.items():
                mirrored = None
                if name in MIRRORED:
                    some = torch.from_numpy(indices[drawn(np.arange(len(indices)), MIRRORED[name])])
                    outcome = per_image(self._model, images[some].flip(-1), labels[some])
                    mirrored = Seen(outcome, labels[some].numpy())
                said = labels[torch.from_numpy(indices)].numpy()
                inside = self._features[side][np.searchsorted(looked_at, indices)]
                samples[name] = Sample(said, inside, mirrored)
        return samples


def evaluate(
    train: Outcome,
    test: Outcome,
    train_labels: Tensor | Indices,
    test_labels: Tensor | Indices,
    split: Split,
    samples: Samples | None = None,
    metrics: Collection[Metric] = tuple(METRICS.values()),
) -> Evaluation:
    """The metrics of a model by its outcomes on all training and all test images.

    train_labels, test_labels: int64 (N,), in the order of the outcomes. samples: see `Passes`.
    """
    labels = np.asarray(train_labels), np.asarray(test_labels)
    return measure(Evidence(train, test, *labels, split, samples), metrics)


def measure(
    evidence: Evidence, metrics: Collection[Metric] = tuple(METRICS.values())
) -> Evaluation:
    """Every metric, all of them by default; None for one that needs what the evidence lacks."""
    return Evaluation(
        {
            metric.name: metric.measure(evidence) if metric.needs <= evidence.provides else None
            for metric in metrics
        },
        forget_losses=evidence.forget.losses,
        test_losses=evidence.unseen().losses,
        class_matched_losses=evidence.unseen(class_matched=True).losses,
    )


def evaluate_model(
    model: nn.Module,
    dataset: ImageDataset,
    split: Split,
    after_batch: Callable[[], None] | None = None,
) -> Evaluation:
    """All metrics of `model` on `split`: one pass over all training and all test images."""
    passes = Passes(model, dataset, split)
    passes.see("train", after_batch=after_batch)
    passes.see("test", after_batch=after_batch)
    labels = dataset.train_labels, dataset.test_labels
    return evaluate(passes.train, passes.test, *labels, split, passes.samples())
