"""What was promised, as a table: by whom, the limit, and what measures it (`benchmarks.promises`).

A limit is the number that stands in the source. A promise is added, changed or taken away when its
source is, and never because a measurement falls short.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmarks import CLASS, RANDOM, remeasure
from benchmarks.remeasure import Measurement, nearness, unlearning_seconds

COMMAND = "python -m benchmarks.promises"


@dataclass(frozen=True)
class Promise:
    """name: for `--only`. source: where it was promised; after "README: " its words there. limit:
    in `unit`, which may be empty. measurement, figure: what measures it, and which of its
    figures it is."""

    name: str
    what: str
    source: str
    bound: Literal["at most", "at least", "exactly"]
    limit: float
    unit: str
    measurement: str
    figure: str

    def holds(self, value: float) -> bool:
        """What is not a number does not."""
        if self.bound == "exactly":
            return value == self.limit
        return value <= self.limit if self.bound == "at most" else value >= self.limit

    def command(self) -> str:
        """What measures it alone."""
        return f"{COMMAND} --only {self.name}"

    def says(self) -> str:
        """The limit in words."""
        return f"{self.bound} {shown(self.limit, self.unit)}"


def shown(value: float, unit: str) -> str:
    return f"{value:.4g} {unit}".rstrip()


METHOD_LIMITS = {
    **dict.fromkeys(("neg_grad", "ssd", "lfssd"), (RANDOM, 15)),
    **dict.fromkeys(("delete", "boundary_shrink", "boundary_expand"), (CLASS, 15)),
    **dict.fromkeys(("newton_head", "descent_to_delete", "puma"), (RANDOM, 15)),
    **dict.fromkeys(("anchored_fine_tune", "msg"), (RANDOM, 60)),
}
"""Seconds of a method's defaults. Those that refuse scattered images are given a class, which has
as many. Of the many with a minute to spend msg, the slowest in results/methods.md."""

MEASUREMENTS = {
    "tree": Measurement("what is there without a run", 0, remeasure.tree),
    "second start": Measurement("a second start", 0.3, remeasure.second_start),
    "rates": Measurement("rates of training and of multiplying", 1, remeasure.rates),
    "app": Measurement("the app in a browser, with a run", 4, remeasure.screens),
    "base": Measurement("the shipped base", 1.5, remeasure.base),
    "tenth": Measurement("fine-tuning on a random tenth", 2.5, remeasure.tenth),
    "automobile": Measurement("fine-tuning on a class", 3, remeasure.automobile),
    "nearest": nearness("faded_teacher", RANDOM),
    "nearest of a class": nearness("lfssd", CLASS),
    **{
        f"{method} time": unlearning_seconds(method, case, limit / 60 + 0.2)
        for method, (case, limit) in METHOD_LIMITS.items()
    },
    "digits": Measurement("a run on the digits", 0.3, remeasure.digits),
    "hostile": Measurement("the tests of bad inputs", 1.5, remeasure.hostile),
}

MODELS, FORGETTING = "issue 2, Models and training", "issue 2, Forgetting"
PROMISES = [
    Promise("methods", "registered methods", "README: 35 methods, one small file each",
            "exactly", 35, "", "tree", "methods"),
    Promise("thirty-methods", "registered methods", "issue 3, acceptance 1",
            "at least", 30, "", "tree", "methods"),
    Promise("models-cache", "size of models_cache/", "issue 10, The models",
            "at most", 250, "MB", "tree", "megabytes"),
    Promise("second-start", "60,000 images read by a second start", "issue 2, Data",
            "at most", 2, "s", "second start", "seconds"),
    Promise("training-rate", "training, of the matrix-multiply rate", "issue 2, acceptance 4",
            "at least", 0.7, "", "rates", "training"),
    Promise("front-page", "first visit until a finished CIFAR-10 run is shown",
            "issue 2, acceptance 1", "at most", 3, "s", "app", "front"),
    Promise("app-memory", "peak memory of the app with CIFAR-10 and a running job",
            "issue 2, acceptance 4", "at most", 1.8, "GB", "app", "gigabytes"),
    Promise("base-test", "test accuracy of the base", MODELS,
            "at least", 88, "%", "base", "test"),
    Promise("base-train", "training accuracy of the base", MODELS,
            "at least", 99, "%", "base", "train"),
    Promise("base-training", "training of the base, its steps at the rate of some", MODELS,
            "at most", 30, "min", "base", "minutes"),
    Promise("base-attack", "simple MIA before forgetting a random tenth", "issue 2, acceptance 2",
            "at least", 0.56, "", "base", "attack"),
    Promise("attack-left", "|after - retrained| of |before - retrained| in simple MIA",
            "issue 2, acceptance 2", "at most", 0.3, "", "tenth", "left"),
    Promise("test-drop", "test accuracy that fine-tuning costs", "issue 2, acceptance 2",
            "at most", 3, "points", "tenth", "drop"),
    Promise("fine_tune-time", "fine-tuning on a random tenth", f"{FORGETTING}; issue 3, acc. 4",
            "at most", 60, "s", "tenth", "seconds"),
    Promise("minutes", "fine-tuning on a random tenth", "README: takes one to three minutes",
            "at most", 180, "s", "tenth", "seconds"),
    Promise("live-view", "the live view, of unlearning", "issue 2, acceptance 4",
            "at most", 15, "%", "tenth", "watching"),
    Promise("live-view-design", "the live view, of unlearning", "design.md, Speed",
            "at most", 8, "%", "tenth", "watching"),
    Promise("verdict-first", "wait for the verdict, of that for every image",
            "issue 11, acceptance 5", "at most", 0.25, "", "tenth", "verdict"),
    Promise("verdict-same", "numbers of the verdict that the full evaluation changes",
            "issue 11, acceptance 5", "exactly", 0, "", "tenth", "changed"),
    Promise("class-attack", "plain MIA after fine-tuning on a class", "issue 2, acceptance 3",
            "at least", 0.85, "", "automobile", "plain"),
    Promise("class-attack-fair", "class-matched MIA, distance to the retrained's",
            "issue 2, acceptance 3", "at most", 0.03, "", "automobile", "fair"),
    Promise("gap", "gap of the nearest, a random tenth (twice that of two retrainings)",
            "issue 3, acceptance 3", "at most", 1.32, "points", "nearest", "gap"),
    Promise("gap-share", "its time, of retraining's", "issue 3, acceptance 3",
            "at most", 5, "%", "nearest", "share"),
    Promise("class-gap", "gap of the nearest, a class", "issue 3, acceptance 3",
            "at most", 1, "points", "nearest of a class", "gap"),
    Promise("class-gap-share", "its time, of retraining's", "issue 3, acceptance 3",
            "at most", 5, "%", "nearest of a class", "share"),
    *(Promise(f"{method}-time", f"{method} ({case})", "issue 3, acceptance 4",
              "at most", limit, "s", f"{method} time", "seconds")
      for method, (case, limit) in METHOD_LIMITS.items()),
    Promise("digits", "a whole run on the digits", "README: digits take seconds",
            "at most", 60, "s", "digits", "seconds"),
    Promise("bad-inputs", "bad inputs in tests/hostile", "issue 9, acceptance 3",
            "at least", 60, "", "hostile", "inputs"),
    Promise("bad-inputs-time", "tests/hostile", "issue 9, acceptance 3",
            "at most", 120, "s", "hostile", "seconds"),
]  # fmt: skip
WHOLE = Promise("all", "this command", "issue 11, acceptance 9", "at most", 30, "min", "", "")
"""Of a run of all rows."""

NOT_AGAIN = [
    ("the report's story, three seeds (issue 2, acceptance 3)",
     "twelve runs, an hour", "benchmarks/results/story.md"),
    ("every method's gap and share, README's table (issue 3, acceptance 2)",
     "33 methods, hours", "benchmarks/results/methods.md"),
    ("at most 60 s for every other default (issue 3, acceptance 4)",
     "some twenty, about a minute each; the slowest is a row", "benchmarks/results/methods.md"),
    ("gaps of two retrainings and of the controls (README)",
     "a retraining takes 20 minutes", "benchmarks/results/controls.jsonl"),
    ("SISA's cost and accuracy (README)",
     "its ensemble trains 8 minutes, a random tenth all of it again", "benchmarks/results/sisa.md"),
    ("solvers to 1e-4, Spearman at least .95 (issue 3, acceptance 5)",
     "the tests assert it", "tests/fidelity/test_influence.py"),
    ("the same verdict in both precisions (issue 9, point 0)",
     "two dozen runs, hours", "benchmarks/results/precision.md"),
    ("a verdict over at least 20 triples (issue 9, acceptance 4)",
     "the tests assert it", "tests/core/test_verdict.py"),
    ("the new base's time, accuracy and spread (issue 10, acceptances 1 to 3)",
     "trainings of 10 to 30 minutes each; no result yet", "benchmarks/training.py"),
    ("at most 250 lines a file (issue 11, acceptance 1)",
     "the tests assert it", "tests/test_checks.py"),
    ("a sweep that loses a worker, 12 runs once each (issue 11, acceptance 6)",
     "the tests assert it", "tests/core/test_sweep.py"),
    ("all tests in at most 10 minutes (issue 11, acceptance 7)",
     "a third of the time that this command has; CI prints it", ".ci/run"),
]  # fmt: skip
"""What was promised, why it is no row, and the file that has the figure."""
