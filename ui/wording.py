"""The app's words: names of the numbers, the classic cases, and sentences computed from a run.

No Streamlit in here. Each sentence is made from the numbers that stand beside it on the screen, and
none claims that deletion is proven.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.forget_sets import ForgetRequest
from core.results import Evaluation, Measure, Plan, Run

COLUMNS = {
    "before": "Before",
    "after": "After unlearning",
    "retrained": "Retrained: the ideal",
}
SHORT = {"before": "Before", "after": "After", "retrained": "Retrained (ideal)"}
DATASETS = {
    "cifar10": "CIFAR-10 (small colour photos)",
    "digits": "Handwritten digits",
}
STATUS = {
    "running": "running",
    "finished": "finished",
    "partial": "stopped early",
    "failed": "failed",
    "interrupted": "interrupted",
}
DIGITS_NOTE = (
    "These are scikit-learn's handwritten digits, which need no download. A fifth of the training "
    "labels are wrong on purpose, because clean digits leave a model almost nothing to memorise."
)
SPY = "Spy's score"
SPY_HELP = (
    "A simple attacker sees only how surprised the model is by an image (its loss) and guesses "
    "whether that image was among those to be forgotten. 50 % is a coin flip. The aim is the "
    "retrained model's score, not the lowest one."
)
SPY_FAIR = "Spy's score, same classes"
SPY_FAIR_HELP = (
    "The same attack, but the spy has to tell the forgotten images from unseen images of the same "
    "classes. With a whole class this is the fair question."
)
FORGET = "Right on images to forget"
FORGET_HELP = (
    "How many of the images to forget the model still labels correctly. The aim is the retrained "
    "model's value: unseen images are often recognised too."
)
USEFUL = "Right on new images"
USEFUL_HELP = (
    "How many unseen test images it labels correctly, of the classes that it should still know. "
    "Higher is better: this is what forgetting must not cost."
)
TERMS = {
    SPY: "membership inference accuracy",
    SPY_FAIR: "class-matched membership inference accuracy",
    FORGET: "forget accuracy",
    USEFUL: "retained test accuracy",
}
"""The field's word for each number."""
LIMITS = (
    "What this spy cannot see: it looks at one number per image, the loss, and judges all images "
    "alike. A stronger attack, or one aimed at a single image, may still find traces. A score near "
    "the ideal is evidence of forgetting, never a proof of deletion."
)
TOO_FEW = "too few images"
MEASURING = "measuring"


@dataclass(frozen=True)
class Preset:
    """One of the classic cases. stories, requests (the short form): by data set."""

    key: str
    title: str
    icon: str
    stories: dict[str, str]
    requests: dict[str, str]


TENTH = (
    "Every tenth image is to be deleted. Others like it stay, so a good network still recognises "
    "most of them, as it would any new image."
)
PRESETS = (
    Preset(
        "random",
        "A random tenth",
        ":material/casino:",
        {"cifar10": TENTH, "digits": TENTH},
        {"cifar10": "random:0.1", "digits": "random:0.1"},
    ),
    Preset(
        "class",
        "A whole class: the trap",
        ":material/category:",
        {
            "cifar10": "Forget every automobile. The spy's score shoots up, yet not because "
            "anything leaked: find out what it really measures.",
            "digits": "Forget every image of the digit 1. The spy's score shoots up, yet not "
            "because anything leaked: find out what it really measures.",
        },
        {"cifar10": "class:automobile", "digits": "class:1"},
    ),
    Preset(
        "memorised",
        "The most memorised",
        ":material/psychology:",
        {
            "cifar10": "The 500 oddest images, which the network could only learn by heart. They "
            "are the hardest to forget without a trace.",
            "digits": "The 50 images that the network could only learn by heart, most of them with "
            "a wrong label. They are the hardest to forget without a trace.",
        },
        {"cifar10": "memorised:500", "digits": "memorised:50"},
    ),
)


def by_class(request: ForgetRequest) -> bool:
    """Whether the spy must be given test images of the same classes for a fair question."""
    return request.kind == "classes"


def known(measure: Measure | None) -> bool:
    """Whether there is a number: False for not measured, and for NaN (too few images)."""
    return measure is not None and math.isfinite(measure.value)


def loss(value: float) -> str:
    """A loss in nats with two digits that count: 0.0031 -> "0.0031"."""
    return "below 0.0001" if value < 1e-4 else f"{value:.2g}"


def percent(fraction: float) -> str:
    """0.613 -> "61.3 %"."""
    return f"{100 * fraction:.1f} %"


def value(measure: Measure | None, missing: str = "none") -> str:
    """The number, or why there is none."""
    if measure is None:
        return missing
    return percent(measure.value) if known(measure) else TOO_FEW


def interval(measure: Measure | None, pairs: bool = False) -> str:
    """ "95 % sure: 59.8 to 62.7 % · 5,000 images"; `pairs` where n counts each of two sides."""
    if measure is None or not known(measure):
        return ""
    images = f"{measure.n:,} + {measure.n:,}" if pairs else f"{measure.n:,}"
    if not (math.isfinite(measure.low) and math.isfinite(measure.high)):
        return f"{images} images"
    return f"95 % interval {100 * measure.low:.1f} to {100 * measure.high:.1f} % · {images} images"


def points(difference: float) -> str:
    """A difference of fractions in percentage points: "+1.2 points"."""
    return f"{100 * difference:+.1f} points"


def fair_spy(evaluation: Evaluation, request: ForgetRequest) -> Measure:
    """The attack that asks a fair question for this request."""
    return evaluation.mia_class_matched if by_class(request) else evaluation.mia


def direction(measure: Measure | None) -> str:
    """What gives the images away, for an `AttackMeasure`; empty where nothing does."""
    if not known(measure):
        return ""
    return {
        "forget lower": "The images to forget still surprise the network less than new ones do.",
        "forget higher": "The images to forget surprise the network more than new ones do: "
        "too much forgetting gives them away as well.",
        "none": "No better than a coin flip can explain.",
    }.get(getattr(measure, "direction", ""), "")


def histogram_takeaway(before: float, after: float) -> str:
    """What the overlap of the two shapes says. before, after: the overlap coefficients shown."""
    change = after - before
    word = "more than" if change > 0.005 else "less than" if change < -0.005 else "as much as"
    return (
        f"Forget and test images overlap by {percent(after)} after unlearning, {word} before "
        f"({percent(before)}). The more they overlap, the harder they are to tell apart."
    )


def verdict(run: Run) -> str:
    """One or two sentences: did it forget, judged against the retrained model, and what it cost."""
    before, after, ideal = run.before, run.after, run.retrained
    if before is None or after is None:
        return "This run has no final measurement, so there is nothing to judge."
    start, end = fair_spy(before, run.plan.request), fair_spy(after, run.plan.request)
    cost = _cost(before, after, ideal)
    if not (known(start) and known(end)):
        return "There are too few images to forget for the spy to be scored (it takes ten). " + cost
    if ideal is None or not known(fair_spy(ideal, run.plan.request)):
        return (
            f"The spy's score went from {percent(start.value)} to {percent(end.value)}; 50 % is a "
            "coin flip. No model was retrained without exactly these images, so the ideal score is "
            f"not known. {cost}"
        )
    goal = fair_spy(ideal, run.plan.request)
    return f"{_forgetting(start, end, goal)} {cost}"


def so_far(before: Measure | None, now: Measure | None, ideal: Measure | None) -> str:
    """What the live numbers say at this moment."""
    if now is None or not known(now):
        return "The spy's score cannot be measured: there are too few images."
    text = f"So far the spy scores {percent(now.value)}"
    if before is not None and known(before):
        text += f", {percent(before.value)} before"
    if ideal is not None and known(ideal):
        text += f"; the aim is the retrained model's {percent(ideal.value)}"
    return text + ". 50 % is a coin flip."


def _forgetting(start: Measure, end: Measure, goal: Measure) -> str:
    away, left = start.value - goal.value, end.value - goal.value
    scores = f"{percent(end.value)}, against {percent(goal.value)} for the retrained model"
    same = end.low <= goal.high and goal.low <= end.high
    moved = start.low > goal.high or goal.low > start.high
    if not moved:
        return (
            f"Before unlearning the spy already scored about what it scores on the retrained model "
            f"({percent(start.value)} and {percent(goal.value)}), so this number cannot show "
            f"forgetting here; afterwards it is {percent(end.value)}."
        )
    if same:
        return (
            f"It looks forgotten to this spy: it scores {scores}, a difference within the "
            "uncertainty of the measurement."
        )
    if left * away < 0 or getattr(end, "direction", "") == "forget higher":
        return (
            f"It forgot too much: the spy scores {scores}. An unusually high surprise gives the "
            "images away as well."
        )
    share = 1 - left / away
    if share < 0.05:
        return f"Hardly anything was forgotten: the spy scores {scores}."
    return f"Partly forgotten: the spy scores {scores}, {100 * share:.0f} % of the way there."


def _cost(before: Evaluation, after: Evaluation, ideal: Evaluation | None) -> str:
    start, end = before.retained_test_accuracy, after.retained_test_accuracy
    if not (known(start) and known(end)):
        return ""
    change = end.value - start.value
    text = (
        f"On new images of the classes it keeps it is right {percent(end.value)} of the time "
        f"({points(change)} against before"
    )
    if ideal is not None and known(ideal.retained_test_accuracy):
        return text + f"; the retrained model {percent(ideal.retained_test_accuracy.value)})."
    return text + ")."


def trap(run: Run) -> str | None:
    """For whole classes: why the plain score is high although nothing leaked, from the numbers."""
    after = run.after
    if not by_class(run.plan.request) or after is None:
        return None
    plain, fair = after.mia, after.mia_class_matched
    if plain is None or fair is None or not (known(plain) and known(fair)):
        return None
    if plain.low <= fair.high:  # the two questions have the same answer: no trap here
        return None
    text = (
        f"**The trap.** Asked to tell the forgotten images from *all* test images, the spy scores "
        f"{percent(after.mia.value)}. That sounds like a leak, but it mostly measures that one "
        "group is a single class and the other is not: a model that no longer knows the class is "
        "surprised by every image of it, seen or unseen."
    )
    if run.retrained is not None and known(run.retrained.mia):
        text += (
            " The retrained model, which never saw those images, scores "
            f"{percent(run.retrained.mia.value)} on the same question."
        )
    return text + (
        " The fair question uses unseen images of the *same* class: there the spy scores "
        f"{percent(after.mia_class_matched.value)}, where 50 % is a coin flip."
    )


def plan_title(plan: Plan, methods: dict[str, str] | None = None) -> str:
    """One line for tables and headings."""
    label = (methods or {}).get(plan.method) or method_name(plan.method)
    return f"{label}: {plan.request.describe()}"


def differences(
    plans: Sequence[Plan],
    settings: Sequence[Mapping[str, Any]],
    label: Callable[[str, str], str] = lambda method, name: name.replace("_", " "),
) -> list[str]:
    """What tells each of these runs from the others of its method, forget set and network:
    "learning rate 0.3, seed 1". Empty for a run that has no such others, or is just as they are.

    settings: every hyper-parameter of each run, as it ran with, not only those that were changed.
    label: of a method's hyper-parameter, in words.
    """
    kin: dict[Any, list[tuple[Plan, Mapping[str, Any]]]] = {}
    for plan, own in zip(plans, settings, strict=True):
        kin.setdefault(_name_of(plan), []).append((plan, own))
    said = []
    for plan, own in zip(plans, settings, strict=True):
        alike = kin[_name_of(plan)]
        names = dict.fromkeys(name for _, its in alike for name in its)
        found = [
            f"{label(plan.method, name).lower()} {_setting(own.get(name))}"
            for name in names
            if len({its.get(name) for _, its in alike}) > 1
        ]
        if len({other.seed for other, _ in alike}) > 1:
            found.append(f"seed {plan.seed}")
        said.append(", ".join(found))
    return said


def _name_of(plan: Plan) -> Any:
    """What runs have in common that would go by one name."""
    return plan.method, plan.request, plan.dataset, plan.model, plan.base


def _setting(value: Any) -> str:
    if value is None:  # a run from before its method had this setting
        return "not set"
    return f"{value:g}" if isinstance(value, float) else str(value)


def method_name(name: str) -> str:
    """A method's name in words, without importing the methods."""
    return (
        name.replace("fine_tune", "fine-tune")
        .replace("_", " ")
        .capitalize()
        .replace("Neg grad plus", "NegGrad+")
        .replace("Neg grad", "NegGrad")
    )


NEEDS = {
    "retain": "the images to keep",
    "forget": "the images to forget",
    "features": "the network's features of the training images, computed once",
    "importance": "how much each weight matters for the training images, computed once",
    "shards": "the parts of an ensemble that was trained for this",
}
GROUPS = {
    "exact": ("Exact", "The result is a network that never saw the images: slow, and certain."),
    "retrain-like": (
        "Like retraining",
        "They train on with the images to keep, so that the others fade.",
    ),
    "forget-only": ("Forget set alone", "They look at the images to forget and at little else."),
    "weight-editing": ("Weight editing", "They change single weights, without any training."),
    "teacher-student": (
        "Teacher and student",
        "A copy of the network teaches it what to keep, another what to lose.",
    ),
    "second-order": (
        "Second order",
        "They compute where training without the images would have ended, from the curvature.",
    ),
}
"""What the groups of methods are called, and what they have in common."""
MEASURED_CASES = {"random:0.1": "a random tenth", "class:automobile": "a whole class"}
"""The cases in which every method was measured, by their short form."""
SUITS = {
    "samples": "for single images",
    "classes": "for whole classes only",
    "both": "for single images and whole classes",
}


def listed(names: Sequence[str]) -> str:
    """Several names in a sentence: "A, B and C"; empty for none."""
    *others, last = names or ("",)
    return f"{', '.join(others)} and {last}" if others else last


def nearest(rows: Sequence[Mapping[str, Any]], label: Callable[[str], str]) -> str:
    """Which of the measured methods of one case came nearest, what a trick that forgets nothing
    reaches, and so what can be said. rows: as `core.measured` has them; label: a method's name in
    words."""
    methods = sorted(
        (row for row in rows if row["method"] != "retrain" and not row["control"]),
        key=lambda row: row["gap"],
    )
    if not methods:
        return ""
    tied = [row for row in methods if row["tied"]]
    names = listed([f"**{label(row['method'])}**" for row in tied])
    if len(tied) > 1:
        said = (
            f"Of the {len(methods)} faster methods measured here, {names} are tied for nearest: "
            f"{tied[0]['gap']:.1f} to {tied[-1]['gap']:.1f} points from the retrained network on "
            "average, and the images measured cannot tell these apart."
        )
    elif len(methods) > 1:
        said = (
            f"Of the {len(methods)} faster methods measured here, {names} came nearest to the "
            f"retrained network: {tied[0]['gap']:.1f} points from it on average, in "
            f"{duration(tied[0]['seconds'])}."
        )
    else:
        said = (
            f"{names}, the only one measured so far, ended {tied[0]['gap']:.1f} points from the "
            f"retrained network on average, in {duration(tied[0]['seconds'])}."
        )
    controls = sorted((row for row in rows if row["control"]), key=lambda row: row["gap"])
    if not controls:
        return said
    better = [f"**{label(row['method'])}**" for row in methods if not row["no_nearer_than"]]
    trick = f"{controls[0]['control']} ({controls[0]['gap']:.1f} points), which forgets nothing"
    if not better:
        return f"{said} None of them is surely nearer than {trick}: here the distance is no proof."
    if len(better) == len(methods):
        return f"{said} All of them are nearer than {trick}."
    return f"{said} Surely nearer than {trick}, {'is' if len(better) == 1 else 'are'} only " + (
        f"{listed(better)}."
    )


def reading(row: Mapping[str, Any]) -> str:
    """What a measured row's distance is worth, for a table."""
    if row["control"]:
        return "forgets nothing"
    said = ["tied for nearest"] * bool(row["tied"])
    if row["no_nearer_than"]:
        said.append(f"no nearer than {row['no_nearer_than']}, which forgets nothing")
    return "; ".join(said)


def seeds(counts: Sequence[int]) -> str:
    """How many seeds stand behind the numbers: "one seed", "1 to 3 seeds"."""
    low, high = min(counts, default=1), max(counts, default=1)
    if low == high:
        return "one seed" if high == 1 else f"{high} seeds"
    return f"{low} to {high} seeds"


def blind(heads: Sequence[str]) -> str:
    """What the distance of the measured methods cannot see. heads: the names of the methods that
    change the last layer alone."""
    said = (
        "What the distance cannot see: it looks at answers and losses only. A method can mute the "
        "answer and keep all that the network sees in the images, its features."
    )
    if not heads:
        return said
    return (
        f"{said} {listed(heads)} change{'s' * (len(heads) == 1)} the last layer alone, so the "
        + ("features are exactly those of the network before.")
    )


def needs(names: Iterable[str]) -> str:
    """What a method reads, in words."""
    return " and ".join(NEEDS.get(name, name) for name in names) or "no images"


def duration(seconds: float | None) -> str:
    """Seconds in words a person would use."""
    if seconds is None or not math.isfinite(seconds):
        return "time left not known yet"
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def place(number: int) -> str:
    """A place in the queue: 1 is the next one."""
    return "next in line" if number <= 1 else f"number {number} in line"
