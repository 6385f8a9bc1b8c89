"""The course report's questions about robustness, each asked of the best methods: adversarial
forget sets, distribution shift, adversarial examples, relearning, wrong data to remove, deletions
in turn, and catastrophic forgetting.

Each question to a method is a line in results/robustness.jsonl; what stands there is not asked
again, so that it can be broken off at any moment. What is not here (a base trained on wrong labels,
say; see `benchmarks.models`) is said and asked the next time. The sentences stand in
`benchmarks.robustness_table`.

    python -m benchmarks.robustness --data ../shared/data/cifar10
    python -m benchmarks.robustness --data ../shared/data/cifar10 --measures sequence --best 3
    python -m benchmarks.robustness --dataset digits --methods fine_tune scrub
    python -m benchmarks.robustness --table      # writes the sentences, runs nothing
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import CLASS, RANDOM, RESULTS, methods
from benchmarks.log import Line, Log
from benchmarks.robustness_table import sentences
from benchmarks.sweeps import line_of
from core.data.dataset import ImageDataset
from core.data.load import load_dataset
from core.data.names import BACKDOOR, WRONG_LABELS
from core.data.request_text import parse_request
from core.data.requests import ForgetRequest
from core.errors import LabError
from core.robustness.poison import bad_images
from core.runs.dips import dips_of
from core.runs.hard_sets import HARD, hard_set
from core.runs.plan import Plan
from core.runs.robust import Models, models_of
from core.runs.run import Run
from core.runs.shell.robustness import measured
from core.runs.task import Task, prepare

LOG = Log("robustness.jsonl")
MEASURES = ("corruptions", "adversarial", "relearning", "sequence", "bad-data", "forget-sets")
CASES = {"cifar10": (RANDOM, CLASS), "digits": (RANDOM, "class:1")}
BAD = {"cifar10": (WRONG_LABELS, BACKDOOR), "digits": ("digits",)}
SEQUENCE = "random:0.05"
"""One deletion of 5 %, beside five of 1 %."""
SIZES = {"cifar10": 500, "digits": 45}
"""Of forget sets that are hard to forget, and of the random one beside them."""


@dataclass(frozen=True)
class Question:
    """dataset: of which images. case: what is to be forgotten, in words."""

    measure: str
    dataset: str
    case: str
    method: str

    @property
    def key(self) -> dict[str, str]:
        return vars(self)


def main(arguments: Sequence[str] | None = None) -> None:
    """Asks what the log lacks, then writes the sentences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--dataset", choices=CASES, default="cifar10")
    parser.add_argument("--measures", nargs="*", choices=MEASURES, default=MEASURES)
    parser.add_argument("--methods", nargs="*", help="by default the nearest in methods.md")
    parser.add_argument("--best", type=int, default=10, help="how many of these")
    parser.add_argument("--table", action="store_true", help="write the sentences, run nothing")
    options = parser.parse_args(arguments)
    if not options.table:

        def chosen(case: str) -> list[str]:
            known = CLASS if case.startswith("class") else RANDOM
            wanted = options.methods or methods.best(known, options.best)
            return list(dict.fromkeys(["do_nothing", *wanted]))

        asked = [
            question
            for question in questions(options.dataset, chosen)
            if question.measure in options.measures and not LOG.has(question.key)
        ]
        ask(asked, options.data)
    text = sentences(LOG.lines())
    (RESULTS / "robustness.md").write_text(text)
    print(text)


def questions(dataset: str, chosen: Callable[[str], Sequence[str]]) -> Iterator[Question]:
    """All of them. chosen: the methods for a case."""
    for case in CASES[dataset]:
        for method in chosen(case):
            for measure in ("corruptions", "adversarial", "relearning"):
                yield Question(measure, dataset, case, method)
    for method in chosen(SEQUENCE):
        yield Question("sequence", dataset, SEQUENCE, method)
    for bad in BAD[dataset]:
        for method in chosen(RANDOM):
            yield Question("bad-data", bad, "what is bad", method)
    random = f"random:{SIZES[dataset]}"
    for case in (random, *CASES[dataset], *HARD):
        for method in chosen(case):
            yield Question("forget-sets", dataset, case, method)


def ask(asked: Sequence[Question], folder: Path | None) -> None:
    """Each of them, a line in the log for each."""
    started, made = time.monotonic(), Made()
    for done, question in enumerate(asked, 1):
        said = "done"
        try:
            dataset = load_dataset(question.dataset, folder)
            LOG.add({**question.key, **answer(question, dataset, made)})
        except LabError as error:
            said = str(error)
        left = (time.monotonic() - started) / done * (len(asked) - done) / 60
        about = f"{question.measure}, {question.dataset}, {question.case}, {question.method}"
        print(f"{done} of {len(asked)}: {about}: {said}; about {left:.0f} min left", flush=True)


class Made:
    """The models of the last question, for the next one about them."""

    def __init__(self) -> None:
        self._of: Plan | None = None
        self._models: Models | None = None

    def __call__(self, task: Task) -> Models:
        if self._models is None or self._of != task.plan:
            self._models = None
            self._of, self._models = task.plan, models_of(task, silent)
        return self._models


def answer(question: Question, dataset: ImageDataset, made: Made) -> Line:
    """What the log keeps of it. Raises LabError."""
    plan = Plan("compact", question.dataset, request_of(question, dataset), question.method)
    task = prepare(plan, dataset=dataset)
    about = {
        "settings": task.method.settings(),
        "forget_digest": task.parts.digest,
        "forgotten": len(task.parts.forget),
    }
    if question.measure == "sequence":
        return {**about, **measured("sequence", task, silent)}
    if question.measure != "forget-sets":
        return {**about, **measured(question.measure, task, silent, models=made(task))}
    *_, run = task.run()
    assert isinstance(run, Run)
    line = line_of(run)
    kept = {name: line[name] for name in ("gap", "interval", "verdict", "seconds")}
    return {**about, **kept, "classes": [dip.to_dict() for dip in dips_of(run.replay)]}


def request_of(question: Question, dataset: ImageDataset) -> ForgetRequest:
    """What is to be forgotten. Raises LabError."""
    if question.measure == "bad-data":
        return bad_images(dataset)
    if question.case not in HARD:
        return parse_request(question.case)
    any_request = ForgetRequest.of_fold(0)
    plan = Plan("compact", question.dataset, any_request, question.method)
    return hard_set(question.case, SIZES[question.dataset], plan, dataset, silent)


def silent(what: str, done: int, total: int) -> Any:
    """A question takes minutes; its line comes at the end."""


if __name__ == "__main__":
    main()
