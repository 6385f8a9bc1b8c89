"""What the influence screen knows of a model: its last layer at the optimum, made once a process in
a thread of its own, and what is computed with it. Whatever imports torch is imported inside."""

from __future__ import annotations

import copy
import logging
import threading
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.errors import LabError
from ui.services import images, methods

if TYPE_CHECKING:
    from core.curvature.deletions import Deletions, Turned
    from core.curvature.head_fit import FittedHead
    from core.models.classifier import Classifier

log = logging.getLogger(__name__)


def model_of(wanted: str) -> str:
    """The architecture that is explained: the one wanted, but an ensemble has no single head."""
    return methods.MODEL if wanted == methods.ENSEMBLE else wanted


@dataclass(frozen=True)
class Answers:
    """What the network says of the test images. order: all of them, wrongly answered ones first,
    each side by how surprised it is. said: (n,) the class. losses: (n,) in nats."""

    order: NDArray[np.int64]
    said: NDArray[np.int64]
    losses: NDArray[np.float32]
    wrong: int


@st.cache_resource(show_spinner="Asking the network about every photo…", max_entries=2)
def answers(model: str, dataset: str) -> Answers:
    """Raises LabError; imports torch."""
    from core.checkpoints import storage
    from core.checkpoints.outcomes import outcomes

    data = images.dataset(dataset)
    _, test = outcomes(storage.find(model, dataset), None, data)
    right = test.predictions == data.test_labels.numpy()
    order = np.lexsort((-test.losses, right))
    return Answers(order, test.predictions, test.losses, int((~right).sum()))


LEAST_LOSS = 1e-12
"""A smaller loss counts as this one, so that changes can be shares of it."""


class Reading:
    """The head of a model being made, in a thread of its own; read its fields from any session.

    phase: "features" or "fit". done, total: of that phase. owner: the token of who started it, and
    may stop it.
    """

    def __init__(self, model: str, dataset: str) -> None:
        self.model, self.dataset = model, dataset
        self.phase = ""
        self.done = self.total = 0
        self.error = self.owner = ""
        self.running = False
        self.head: FittedHead | None = None
        self.network: Classifier | None = None
        self._began = 0.0
        self._stop = threading.Event()
        self._lock = threading.Lock()

    @property
    def seconds_left(self) -> float | None:
        """Of this phase, from how it has gone so far; None where not known."""
        passed = time.monotonic() - self._began
        if not self.done or passed < 1:
            return None
        return passed * (self.total - self.done) / self.done

    def start(self, owner: str) -> None:
        """Starts unless it runs or is done."""
        with self._lock:
            if self.running or self.head is not None:
                return
            self.running, self.owner, self.error = True, owner, ""
            self.phase, self.done = "", 0
            self._stop.clear()
            threading.Thread(target=self._work, name="influence", daemon=True).start()

    def cancel(self) -> None:
        """Stops within one batch."""
        self._stop.set()

    def _work(self) -> None:
        try:
            from core.checkpoints import storage
            from core.checkpoints.fitted_heads import fitted_head

            base = storage.find(self.model, self.dataset)
            network = base.load()
            made = fitted_head(base, network, images.dataset(self.dataset))
            while not self._stop.is_set():
                try:
                    step = next(made)
                except StopIteration as end:
                    self.network, self.head = network, end.value
                    return
                if step.phase != self.phase:
                    self.phase, self._began = step.phase, time.monotonic()
                self.done, self.total = step.done, step.total
            made.close()
        except LabError as error:
            log.warning("no influence: %s", error)
            self.error = str(error)
        except Exception:
            log.exception("the last layer could not be fitted")
            self.error = "The last layer could not be fitted. Try again."
        finally:
            self.running = False


@st.cache_resource(show_spinner=False, max_entries=2)
def reading(model: str, dataset: str) -> Reading:
    """The one of this process."""
    return Reading(model, dataset)


def has_features(model: str, dataset: str) -> bool:
    """Whether the slow part has been done on this machine before. Raises LabError."""
    from core.checkpoints import storage
    from core.checkpoints.records import find_features

    return find_features(storage.find(model, dataset), images.dataset(dataset)) is not None


@dataclass(frozen=True)
class Explained:
    """One test image. influence: (n,) of each training image on its loss; harmful where positive.
    features: (d,). probabilities: (classes,) that the fitted head gives. loss: its own, in nats."""

    influence: NDArray[np.float64]
    features: Any
    probabilities: NDArray[np.float64]
    loss: float


@st.cache_resource(show_spinner=False, max_entries=64)
def explained(model: str, dataset: str, photo: int) -> Explained:
    """Of a model whose head has been made; well under a second."""
    import torch

    from core.checkpoints.features import features
    from core.curvature.head import with_bias
    from core.curvature.products import finish
    from core.data.images import Images

    made, data = reading(model, dataset), images.dataset(dataset)
    assert made.head is not None
    assert made.network is not None
    part = Images(data.test_images, data.test_labels, torch.tensor([photo]))
    found = features(made.network, part)
    label = data.test_labels[photo : photo + 1]
    influence = finish(made.head.influence(found, label))[:, 0]
    logs = (with_bias(found) @ made.head.weights.T).log_softmax(1)[0]
    loss = max(LEAST_LOSS, -float(logs[label]))
    return Explained(influence, found[0], logs.exp().numpy(), loss)


SAMPLE, ITERATIONS = 256, 8
"""Of the curvature of the whole network: training images that it is taken from, and steps of
conjugate gradients."""


def of_whole_network(
    model: str, dataset: str, photo: int, candidates: Sequence[int]
) -> Generator[tuple[int, int], None, NDArray[np.float64]]:
    """float64 (k,): the influence of the candidates on the loss of the test photo through all
    weights, approximately; in the unit of `Explained.influence`. Yields (done, total)."""
    import torch

    from core.curvature.influence import network_influence
    from core.data.images import Images

    made, data = reading(model, dataset), images.dataset(dataset)
    assert made.network is not None
    n = len(data.train_labels)
    drawn = torch.randperm(n, generator=torch.Generator().manual_seed(0))[:SAMPLE]
    found = yield from network_influence(
        copy.deepcopy(made.network),  # other sessions read that one
        Images(data.train_images, data.train_labels, torch.tensor(candidates)),
        Images(data.test_images, data.test_labels, torch.tensor([photo])),
        Images(data.train_images, data.train_labels, drawn),
        iterations=ITERATIONS,
        batch_size=64,
    )
    return found / n


def deletions(
    model: str, dataset: str, photo: int, chosen: Sequence[int]
) -> Generator[tuple[int, int], None, Deletions]:
    """What is predicted and what happens without the chosen images; yields (done, total)."""
    from core.curvature.deletions import check_deletions

    made, found = reading(model, dataset), explained(model, dataset, photo)
    assert made.head is not None
    label = int(images.dataset(dataset).test_labels[photo])
    return check_deletions(made.head, found.influence, found.features, label, chosen)


def until_right(model: str, dataset: str, photo: int) -> Generator[tuple[int, int], None, Turned]:
    """How many of those that misled it most have to go until the answer is right."""
    from core.curvature import deletions

    made, found = reading(model, dataset), explained(model, dataset, photo)
    assert made.head is not None
    label = int(images.dataset(dataset).test_labels[photo])
    return deletions.until_right(made.head, found.influence, found.features, label)
