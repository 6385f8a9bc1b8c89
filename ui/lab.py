"""The one door from the screens to `core`.

Whatever imports torch, scikit-learn or SQLAlchemy is imported inside the function that needs it:
the front page calls none of the first two, and the store only once its result is drawn. Shared
objects live once a process, in Streamlit's resource cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import logging
import sys
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.data import sources
from core.data.requests import ForgetRequest
from core.data.splits import Split
from core.errors import BadRequest, LabError, RunMissing, StoreCorrupt
from core.files import SHIPPED, cache_folder
from core.metrics.measures import Evaluation
from core.runs import measured
from core.runs.plan import Plan
from core.runs.run import Run
from core.runs.run_files import run_from_files, shipped_runs, write_file
from core.runs.summary import RunSummary
from ui import links, wording

if TYPE_CHECKING:
    from core.data.dataset import ImageDataset
    from core.runs.job import Job
    from core.runs.queue import JobQueue
    from core.runs.store.store import Store

log = logging.getLogger(__name__)

MODEL, ENSEMBLE = "compact", "sisa"
DOWNLOAD_MB = 163
SHOWN = ("finished", "partial")


@st.cache_resource(show_spinner=False)
def queue() -> JobQueue:
    """The queue of this process, with its store. Raises LabError; the next call tries again."""
    from core.runs.queue import JobQueue
    from core.runs.store.store import Store

    return JobQueue(Store(shipped=SHIPPED / "runs"))


def store() -> Store:
    """Where the finished runs are."""
    return queue().store


def lost() -> list[RunSummary]:
    """The runs that a crash had cut short when this process started; the screens take out of it."""
    return queue().recovered


def set_store_aside() -> None:
    """Starts a new database beside a damaged one; what it could not enter again is in its notes."""
    from core.runs.store.reset import reset_aside

    made = reset_aside()
    made.close()
    queue.clear()
    queue().store.notes.extend(made.notes)


# Runs


@st.cache_data(show_spinner=False)
def shipped() -> list[RunSummary]:
    """The runs that come with the project; needs neither store nor network."""
    return shipped_runs(SHIPPED / "runs")


@st.cache_resource(show_spinner=False, max_entries=8)
def shipped_run(id: str) -> Run:
    """A run that comes with the project, read without the store. Raises LabError."""
    return run_from_files(SHIPPED / "runs", id)


def load_run(id: str) -> Run:
    """A run by id, from the store or from what ships. Raises LabError."""
    return store().load(id)


def runs(limit: int | None = None, also: Iterable[str] = ()) -> list[RunSummary]:
    """Every run there is something to see of, the newest first, then those that ship.

    limit: so many of the store's at most, but those in `also` in any case. Their plans' requests
    are brief.
    """
    mine = store().summaries(limit, statuses=SHOWN)
    theirs = shipped()
    known = {s.id for s in (*mine, *theirs)}
    if limit is not None and len(mine) == limit:  # else there are no others
        for id in dict.fromkeys(also):
            with contextlib.suppress(RunMissing, StoreCorrupt):
                if id not in known and (found := store().summary(id)).status in SHOWN:
                    mine.append(found)
    mine_ids = {s.id for s in mine}
    return mine + [s for s in theirs if s.id not in mine_ids]


def count_runs() -> int:
    """How many runs of the store there is something to see of."""
    return store().count(SHOWN)


def references(plan: Plan) -> tuple[Evaluation | None, Evaluation | None]:
    """Before and retrained for this data, model and forget set, as an earlier run measured them.

    Both do not depend on the method, so a live run can be shown against them before it has measured
    its own. (None, None) where no such run is at hand.
    """
    return _references(plan.model, plan.dataset, plan.base, plan.request.brief().to_json())


@st.cache_resource(show_spinner=False, max_entries=16, ttl="2m")
def _references(
    model: str, dataset: str, base: str, request: str
) -> tuple[Evaluation | None, Evaluation | None]:
    best: tuple[Evaluation | None, Evaluation | None] = (None, None)
    for summary in runs():
        same = summary.plan
        if (same.model, same.dataset, same.base) != (model, dataset, base):
            continue
        if same.request.brief().to_json() != request or not summary.metrics.get("before"):
            continue
        try:
            run = load_run(summary.id)
        except LabError as error:
            log.warning("no reference from run %s: %s", summary.id, error)
            continue
        if run.retrained is not None:
            return run.before, run.retrained
        best = (run.before, None)
    return best


# Jobs


def submit(plan: Plan, owner: str) -> Job:
    """Puts a plan into the queue, and keeps a long choice for its links. Raises LabError."""
    job = queue().submit(plan, owner)
    if links.is_long(plan.request):
        try:
            keep_request(plan.request)
        except LabError as error:  # no reason not to run it: the run has its own request
            log.warning("%s", error)
    return job


def job(id: str) -> Job:
    """The job of a run, also of an earlier process. Raises LabError."""
    return queue().get(id)


def watch(id: str) -> None:
    """Says that somebody looks at this job, so that it goes on."""
    queue().watch(id)


def place(id: str) -> int | None:
    """0 while it runs, 1 for the next, None where this process has no such job under way."""
    return queue().place(id)


def cancel(id: str, owner: str) -> None:
    """Stops a job; raises LabError for anybody but its owner."""
    queue().cancel(id, owner)


def save_again(id: str) -> None:
    """Tries once more to save a run that could not be saved. Raises LabError."""
    queue().save_again(id)


def owned(job: Job, owner: str) -> bool:
    """Whether this token may stop the job."""
    from core.runs.job import hashed

    return hmac.compare_digest(job.owner, hashed(owner))


# Methods


def methods() -> dict[str, dict[str, Any]]:
    """Every method's description by name (imports torch)."""
    return {method["name"]: method for method in _methods()}


@st.cache_data(show_spinner=False)
def _methods() -> list[dict[str, Any]]:
    from core.unlearners import describe

    return list(describe())


@st.cache_data(show_spinner=False, ttl="10m")
def measured_methods() -> list[dict[str, Any]]:
    """What `core.runs.measured` ships. Raises LabError for a damaged file."""
    return measured.measured_methods(SHIPPED)


def method_label(name: str) -> str:
    """A method's name on a screen. Before anything has imported the methods (and torch with them)
    it is made from the registry's key."""
    if "core.unlearners" in sys.modules and name in (known := methods()):
        return str(known[name]["label"])
    return wording.method_name(name)


def setting_label(method: str, name: str) -> str:
    """A hyper-parameter's name on a screen, with the same care as `method_label`."""
    if "core.unlearners" in sys.modules and method in (known := methods()):
        for parameter in known[method]["parameters"]:
            if parameter["name"] == name:
                return str(parameter["label"])
    return name.replace("_", " ")


def model_for(method: dict[str, Any], wanted: str = MODEL) -> str:
    """The architecture that a method works on: the one wanted, but the ensemble for a method that
    needs its shards, and for no other."""
    if "shards" in method["needs"]:
        return ENSEMBLE
    return MODEL if wanted == ENSEMBLE else wanted


def defaults(method: dict[str, Any], case: str) -> dict[str, Any]:
    """A method's settings for a case, tuned presets first."""
    return {p["name"]: p.get("presets", {}).get(case, p["default"]) for p in method["parameters"]}


# Data


def available(name: str) -> bool:
    """Whether the images are on this machine. Imports no torch, decodes nothing."""
    try:
        return sources.available(name)
    except LabError as error:
        log.warning("%s", error)
        return False


def named_folder_lacks(name: str) -> LabError | None:
    """What is wrong with the folder that FORGETTING_LAB_DATA names, None without such a folder.
    What was downloaded, or would be, is not looked at while it is named."""
    try:
        place, named = sources.place_of(name, None, cache_folder())
        if named:
            sources.find_source(place, name)
    except LabError as error:
        return error
    return None


@st.cache_resource(show_spinner="Reading the images…")
def dataset(name: str) -> ImageDataset:
    """The images, shared by all sessions. Raises LabError; imports torch."""
    from core.data.load import load_dataset

    return load_dataset(name)


@st.cache_resource(show_spinner=False)
def scores(name: str) -> NDArray[np.float32] | None:
    """Memorisation, one number a training image (higher is more), None where there are none.
    Raises LabError where there are no images."""
    from core.checkpoints.memorisation import memorisation_scores

    data = dataset(name)
    try:
        found = memorisation_scores(data)
    except LabError as error:
        log.warning("no memorisation scores for %s: %s", name, error)
        return None
    if found is not None and len(found) != len(dataset(name).train_labels):
        log.warning("the memorisation scores for %s are of other images", name)
        return None
    return None if found is None else found.astype(np.float32)


def split(name: str, request: ForgetRequest) -> Split:
    """The index sets of a request on a data set. Raises LabError."""
    from core.data.splits import split as split_request

    needs_scores = request.kind == "memorised"
    return split_request(dataset(name), request, scores(name) if needs_scores else None)


def case(name: str, request: ForgetRequest) -> str:
    """Which tuned presets a run of this request uses, "class" or "random". Raises LabError."""
    from core.runs.offered_data import case_of

    return case_of(dataset(name), split(name, request))


def whole_classes(name: str, request: ForgetRequest) -> bool:
    """Whether a request is for all images of one or more classes. Raises LabError."""
    from core.runs.offered_data import forgotten_classes

    return bool(forgotten_classes(dataset(name), split(name, request)))


class Download:
    """A download in a thread of its own; read its fields from any session."""

    def __init__(self) -> None:
        self.file = ""
        self.done = 0
        self.total = 0
        self.error = ""
        self.running = False
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Starts unless one is running."""
        with self._lock:
            if self.running:
                return
            self.running, self.error = True, ""
            self._stop.clear()
            threading.Thread(target=self._work, name="download", daemon=True).start()

    def cancel(self) -> None:
        """Stops soon; what has arrived is kept, and the next start goes on from there."""
        self._stop.set()

    def _work(self) -> None:
        try:
            from core.data.download import download

            steps = download("cifar10")
            for progress in steps:
                self.file, self.done, self.total = progress.file, progress.done, progress.total
                if self._stop.is_set():
                    steps.close()
                    break
        except LabError as error:
            log.warning("download failed: %s", error)
            self.error = str(error)
        except Exception:
            log.exception("download failed")
            self.error = (
                "The download failed. Try again, or name a folder with FORGETTING_LAB_DATA."
            )
        finally:
            self.running = False


@st.cache_resource(show_spinner=False)
def download() -> Download:
    """The one download of this process."""
    return Download()


# Long choices


def request_id(request: ForgetRequest) -> str:
    """What `keep_request` stores a request under: 16 hexadecimal digits of its content."""
    return hashlib.sha256(request.to_json().encode()).hexdigest()[:16]


def keep_request(request: ForgetRequest) -> str:
    """Stores a request that is too long for a link; gives its id. Raises LabError."""
    id = request_id(request)
    path = cache_folder() / "requests" / f"{id}.json"
    try:
        if not path.exists():
            write_file(path, request.to_json().encode())
    except OSError as error:
        raise LabError(
            "A choice of so many images has a link only once it is stored, and this server cannot "
            f"store it ({error.strerror}).",
            f"Choose at most {links.MOST_INDICES:,}, or try again later.",
        ) from error
    return id


def find_request(id: str) -> ForgetRequest:
    """The inverse of `keep_request`. Raises BadRequest."""
    try:
        text = (cache_folder() / "requests" / f"{id}.json").read_text()
    except OSError as error:
        raise BadRequest(
            "The chosen images that this link names are not on this server."
        ) from error
    except UnicodeDecodeError as error:
        raise BadRequest(
            "The chosen images that this link names are damaged on this server.",
            "Choose them anew.",
        ) from error
    return ForgetRequest.from_json(text)
