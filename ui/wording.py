"""The app's words: names of the numbers, the classic cases, and sentences computed from a run.

No Streamlit in here. Each sentence is made from the numbers that stand beside it on the screen, and
none claims that deletion is proven.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core import verdict
from core.data.requests import ForgetRequest
from core.metrics.measures import Evaluation, Measure
from core.runs import verdicts
from core.runs.plan import Plan
from core.runs.run import Run
from core.verdict import Verdict

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
    "whether that image was among those to be forgotten. A coin flip scores 50 %. The aim is the "
    "retrained model's score, wherever that lies, and not the lowest one."
)
SPY_FAIR = "Spy's score, same classes"
SPY_FAIR_HELP = (
    "The spy has to tell the forgotten images from unseen images of the same classes. Where "
    "classes were chosen this is the fair question. The aim is the retrained model's score."
)
SPY_PLAIN = "Spy's score, all new images"
SPY_PLAIN_HELP = (
    "The spy has to tell the forgotten images from unseen images of every class. Where classes "
    "were chosen it mostly measures which class an image is of, not whether it was learned."
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
    SPY_PLAIN: "membership inference accuracy",
    FORGET: "forget accuracy",
    USEFUL: "retained test accuracy",
}
"""The field's word for each number."""
LIMITS = (
    "What this spy cannot see: it looks at one number per image, the loss, and judges all images "
    "alike. A network that has only silenced an answer, and still recognises the images inside, "
    "looks the same to it; and an attack that is stronger, or aimed at a single image, may still "
    "find traces. A score near the ideal is evidence of forgetting, never a proof of deletion."
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
            "cifar10": "The 500 oddest images, which the network could only learn by heart. A "
            "network that never saw them is surprised by nearly all of them, so a high spy's score "
            "is what forgetting looks like here.",
            "digits": "The 50 images that the network could only learn by heart, most of them with "
            "a wrong label. A network that never saw them is surprised by most of them, so a high "
            "spy's score is what forgetting looks like here.",
        },
        {"cifar10": "memorised:500", "digits": "memorised:50"},
    ),
)


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


def fair_spy(evaluation: Evaluation, request: ForgetRequest) -> Measure | None:
    """The attack that asks a fair question for this request."""
    return evaluation.mia_class_matched if request.class_matched else evaluation.mia


def direction(measure: Measure | None, ideal: Measure | None = None) -> str:
    """What gives the images away, for an `AttackMeasure`, and whether it does so with the ideal."""
    if not known(measure):
        return ""
    side = getattr(measure, "direction", "")
    text = {
        "forget lower": "The images to forget surprise the network less than new ones do",
        "forget higher": "The images to forget surprise the network more than new ones do",
        "none": "That is no better than a coin flip can explain",
    }.get(side, "")
    if text and known(ideal):
        same = getattr(ideal, "direction", "") == side
        text += ", as with the retrained network" if same else ", unlike with the retrained network"
    return f"{text}." if text else ""


def histogram_takeaway(before: float, after: float, ideal: float | None) -> str:
    """What the overlap of the two shapes says: the overlap coefficients shown, before, after and
    of the retrained model."""
    text = (
        f"The shapes of forgotten and new images overlap by {percent(after)} after unlearning, "
        f"{percent(before)} before"
    )
    if ideal is None:
        return f"{text}."
    nearer = abs(after - ideal) < abs(before - ideal)
    return (
        f"{text}. The aim is the retrained network's {percent(ideal)}: unlearning brought it "
        f"{'nearer' if nearer else 'no nearer'}."
    )


def headline(run: Run) -> str:
    """The verdict on a run in one or two short sentences."""
    if run.before is None or run.after is None:
        return "This run has no final measurement, so there is nothing to judge."
    found = verdicts.verdict_of(run)
    if found is None:
        return (
            "No verdict: no model was retrained without exactly these images, so the aim is not "
            "known."
        )
    way = f"{100 * min(found.share, 0.99):.0f} % of the way from before to the retrained network"
    text = {
        "forgotten": "Forgotten, as far as this spy can see.",
        "partly forgotten": f"Partly forgotten: {way}.",
        "not forgotten": "Not forgotten: it is nearer to the network before than to the retrained "
        f"one ({way}).",
        "forgotten too much": "Forgotten too much: it has gone past the retrained network.",
        "cannot tell": _cannot_tell(found, way),
    }[found.word]
    return f"{text} And damaged." if found.damaged else text


def _cannot_tell(found: Verdict, way: str) -> str:
    few = found.signal("loss_auc")
    if few is None or few.difference.n < verdict.SMALLEST:
        return f"Cannot tell: fewer than {verdict.SMALLEST} images to forget are too few to judge."
    if not found.betrayed_by:
        return (
            "Cannot tell: these numbers were those of the retrained network before unlearning "
            "already, so they cannot show forgetting here."
        )
    return (
        f"Cannot tell: {few.difference.n:,} images measure this too coarsely. It looks like {way}."
    )


def reasons(run: Run) -> str:
    """The numbers behind the headline."""
    before, after, ideal = run.before, run.after, run.retrained
    if before is None or after is None:
        return ""
    found = verdicts.verdict_of(run)
    if found is None:
        start, end = fair_spy(before, run.plan.request), fair_spy(after, run.plan.request)
        spy = (
            f"The spy's score went from {value(start)} to {value(end)}. "
            if known(start) and known(end)
            else "There are too few images to forget for the spy to be scored (it takes ten). "
        )
        return spy + _cost(before, after, ideal)
    parts = []
    if signal := found.signal("forget_accuracy"):
        parts.append(
            f"Of the images to forget it labels {percent(signal.after)} correctly "
            f"({percent(signal.before)} before; the retrained network {percent(signal.ideal)})."
        )
    if signal := found.signal("loss_auc"):
        new = "a new one of the same class" if run.plan.request.class_matched else "a new one"
        parts.append(
            f"Beside {new}, a forgotten image surprises it less in {percent(signal.after)} of all "
            f"pairs ({percent(signal.before)} before; the retrained network "
            f"{percent(signal.ideal)})."
        )
    if found.damaged:
        names = {
            "retain_accuracy": "on {} of the images it was to keep (retrained {})",
            "retained_test_accuracy": "on {} of new images of what it keeps (retrained {})",
        }
        worse = [found.signal(name) for name in found.damaged]
        listed = " and ".join(
            names[s.name].format(percent(s.after), percent(s.ideal)) for s in worse if s is not None
        )
        parts.append(f"The damage: it is right {listed}.")
    else:
        parts.append(_cost(before, after, ideal))
    return " ".join(parts)


def so_far(before: Measure | None, now: Measure | None, ideal: Measure | None) -> str:
    """What the live numbers of the fair attack say at this moment: an estimate."""
    if now is None or not known(now):
        return "The spy's score cannot be measured: there are too few images."
    text = f"So far the spy scores about {percent(now.value)}"
    if known(before) and before is not None:
        text += f", {percent(before.value)} before"
    if known(ideal) and ideal is not None:
        return text + f"; the aim is the retrained model's {percent(ideal.value)}."
    return text + "; a coin flip scores 50 %."


def _cost(before: Evaluation, after: Evaluation, ideal: Evaluation | None) -> str:
    start, end = before.retained_test_accuracy, after.retained_test_accuracy
    if not (known(start) and known(end)):
        return ""
    text = (
        f"On new images of the classes it keeps it is right {percent(end.value)} of the time "
        f"({points(end.value - start.value)} against before"
    )
    if ideal is not None and known(ideal.retained_test_accuracy):
        return text + f"; the retrained model {percent(ideal.retained_test_accuracy.value)})."
    return text + ")."


def trap(run: Run) -> str | None:
    """Why a high score is no leak, from the numbers: for whole classes and for memorised images.
    None where there is no such trap."""
    if run.after is None:
        return None
    if run.plan.request.kind == "classes":
        return _class_trap(run)
    if run.plan.request.kind == "memorised":
        return _memorised_trap(run)
    return None


def _class_trap(run: Run) -> str | None:
    assert run.after is not None
    plain, fair = run.after.mia, run.after.mia_class_matched
    if plain is None or fair is None or not (known(plain) and known(fair)):
        return None
    if plain.low <= fair.high:  # the two questions have the same answer: no trap here
        return None
    text = (
        f"**The trap.** Asked to tell the forgotten images from *all* test images, the spy scores "
        f"{percent(plain.value)}. That sounds like a leak, but it mostly measures that one "
        "group is a single class and the other is not: a model that no longer knows the class is "
        "surprised by every image of it, seen or unseen."
    )
    ideal = run.retrained
    if ideal is not None and ideal.mia is not None and known(ideal.mia):
        text += (
            " The retrained model, which never saw those images, scores "
            f"{percent(ideal.mia.value)} on the same question."
        )
    text += (
        " The fair question uses unseen images of the *same* class: there the spy scores "
        f"{percent(fair.value)}"
    )
    if ideal is not None and ideal.mia_class_matched is not None:
        return f"{text} (retrained {percent(ideal.mia_class_matched.value)})."
    return f"{text}, and a coin flip 50 %."


def _memorised_trap(run: Run) -> str | None:
    ideal = run.retrained.mia if run.retrained is not None else None
    if ideal is None or not known(ideal) or getattr(ideal, "direction", "") != "forget higher":
        return None
    return (
        "**The trap.** 50 % is not the aim here. These images were chosen because they are odd, so "
        "a network that never saw them is surprised by them far more than by ordinary new images: "
        f"the spy tells the two apart with {percent(ideal.value)} on the retrained network. That "
        "score is the aim."
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
    reaches, and so what can be said. rows: as `core.runs.measured` has them; label: a method's
    name in words."""
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


def readings(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the distance of each measured row of one case is worth, for a table."""
    nearest = "tied for nearest" if sum(bool(row["tied"]) for row in rows) > 1 else "nearest"

    def reading(row: Mapping[str, Any]) -> str:
        if row["control"]:
            return "forgets nothing"
        said = [nearest] * bool(row["tied"])
        if row["no_nearer_than"]:
            said.append(f"no nearer than {row['no_nearer_than']}")
        return "; ".join(said)

    return [reading(row) for row in rows]


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
